export default {
  title: '隔离区',
  coming: '编码没有对应关系的报文：补充对照后重放。',
} as const
