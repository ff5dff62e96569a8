export default {
  title: '时限看板',
  coming: '临期、超时、暂停和仲裁中的案件，以及催办、督办，将显示在这里。',
} as const
