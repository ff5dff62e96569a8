export default {
  title: '申诉',
  coming: '对案件计分的申诉及裁定将显示在这里。',
} as const
