export default {
  title: '交换记录',
  coming: '收到和发出的每一条报文，可按业务字段查找。',
} as const
