import type { Like } from '../../language/like'
import type zh from './words.zh'

const words: Like<typeof zh> = {
  title: 'Quarantine',
  coming: 'Messages with codes that no table has: map the code, then replay.',
}
export default words
