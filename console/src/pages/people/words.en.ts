import type { Like } from '../../language/like'
import type zh from './words.zh'

const words: Like<typeof zh> = {
  title: 'People and rights',
  coming: 'Accounts, roles and scopes will be here.',
}
export default words
