import type { Like } from '../../language/like'
import type zh from './words.zh'

const words: Like<typeof zh> = {
  title: 'Replays',
  coming: 'Dry runs, runs and the ledger of replays will be here.',
}
export default words
