export default {
  title: '案件详情',
  coming: '案件在各系统之间的经过、原始报文和可做的操作将显示在这里。',
} as const
