import type { Like } from '../../language/like'
import type zh from './words.zh'

const words: Like<typeof zh> = {
  title: 'My account',
  coming: 'Your password, one-time codes and rights will be here.',
}
export default words
