import type { Like } from '../../language/like'
import type zh from './words.zh'

const words: Like<typeof zh> = {
  title: 'Systems',
  coming: 'A card for each platform: alive, data age, backlog, in doubt, parked and reconciliation.',
}
export default words
