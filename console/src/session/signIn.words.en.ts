import type { Like } from '../language/like'
import type zh from './signIn.words.zh'

const words: Like<typeof zh> = {
  title: 'Sign in',
  login: 'Login',
  password: 'Password',
  code: 'One-time code',
  codeHint: 'The six digits that your authenticator shows.',
  submit: 'Sign in',
  other: 'or with the city’s single sign-on',
  elsewhere: 'The single sign-on did not let you in ({why}).',
  loginNeeded: 'Please enter your login',
  passwordNeeded: 'Please enter your password',
  note: 'Each sign-in, and each look at personal data, is recorded.',
}
export default words
