export default {
  title: '重放',
  coming: '重放的试算、执行和台账将显示在这里。',
} as const
