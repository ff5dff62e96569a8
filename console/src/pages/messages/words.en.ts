import type { Like } from '../../language/like'
import type zh from './words.zh'

const words: Like<typeof zh> = {
  title: 'Messages',
  coming: 'Every message in and out, to be searched by business fields.',
}
export default words
