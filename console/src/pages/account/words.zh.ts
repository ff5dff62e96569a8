export default {
  title: '我的账号',
  coming: '修改密码、动态口令和本人权限将显示在这里。',
} as const
