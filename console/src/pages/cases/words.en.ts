import type { Like } from '../../language/like'
import type zh from './words.zh'

const words: Like<typeof zh> = {
  title: 'Cases',
  coming: 'Find cases by any number of any system, phone, place or text.',
}
export default words
