import type { Like } from '../../language/like'
import type zh from './words.zh'

const words: Like<typeof zh> = {
  title: 'Case',
  coming: 'The journey of the case across systems, its messages and what can be done will be here.',
}
export default words
