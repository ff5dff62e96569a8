export default {
  title: '人员与权限',
  coming: '本地账号、角色和数据范围将显示在这里。',
} as const
