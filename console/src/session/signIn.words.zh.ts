export default {
  title: '登录',
  login: '账号',
  password: '密码',
  code: '动态口令',
  codeHint: '请输入动态口令应用上的六位数字。',
  submit: '登录',
  other: '或使用统一身份认证',
  elsewhere: '统一身份认证没有让您登录（{why}）。',
  loginNeeded: '请输入账号',
  passwordNeeded: '请输入密码',
  note: '本系统的每次登录和对个人信息的查阅都有记录。',
} as const
