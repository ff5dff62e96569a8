export default {
  title: '案件',
  coming: '按任何系统的编号、电话、地点或文字查找案件。',
} as const
