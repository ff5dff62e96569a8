export default {
  title: '派遣',
  coming: '等待派遣的案件、规则给出的理由和候选单位将显示在这里。',
} as const
