export default {
  title: '查阅记录',
  coming: '谁在什么时候、为什么查看过个人信息，将显示在这里。',
} as const
