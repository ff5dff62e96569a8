export default {
  title: '没有权限',
  text: '您的角色不能打开“{page}”。',
  hint: '需要这项权限，请联系系统管理员。',
  home: '去我能打开的页面',
  nowhere: '没有这个页面',
  nowhereText: '这个地址没有对应的页面。',
} as const
