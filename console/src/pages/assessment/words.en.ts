import type { Like } from '../../language/like'
import type zh from './words.zh'

const words: Like<typeof zh> = {
  title: 'Assessment',
  coming: 'Indicators by region, unit, post and system, month close and editions will be here.',
}
export default words
