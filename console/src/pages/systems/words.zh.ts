export default {
  title: '平台监测',
  coming: '每个接入平台一张卡片：是否在线、数据多旧、积压、存疑、挂起和对账状态。',
} as const
