export default {
  title: '驾驶舱',
  coming: '今日收件、七步漏斗、按时与超时、四个环、热点区域和各区各单位排名将显示在这里。',
} as const
