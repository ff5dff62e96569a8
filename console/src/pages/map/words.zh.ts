export default {
  title: '一张图',
  coming: '网格、在办案件、密度、时间轴和登记的上级图层将显示在这里。',
} as const
