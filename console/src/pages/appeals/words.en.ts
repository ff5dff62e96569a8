import type { Like } from '../../language/like'
import type zh from './words.zh'

const words: Like<typeof zh> = {
  title: 'Appeals',
  coming: 'Appeals against how a case counts, and rulings, will be here.',
}
export default words
