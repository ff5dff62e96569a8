import type { Like } from '../../language/like'
import type zh from './words.zh'

const words: Like<typeof zh> = {
  title: 'Viewings',
  coming: 'Who looked at personal data, when and why, will be here.',
}
export default words
