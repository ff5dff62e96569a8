export default {
  title: '考核',
  coming: '按区域、单位、岗位和平台的指标，月结与版本，将显示在这里。',
} as const
