/** The parts of ECharts that are used, and nothing else. Only Chart.vue brings it, when a page shows a chart. */

import { BarChart, FunnelChart, LineChart, PieChart } from 'echarts/charts'
import { AriaComponent, DatasetComponent, GridComponent, LegendComponent, TooltipComponent } from 'echarts/components'
import { init, use } from 'echarts/core'
import { LabelLayout } from 'echarts/features'
import { CanvasRenderer } from 'echarts/renderers'

use([
  BarChart, FunnelChart, LineChart, PieChart, AriaComponent, DatasetComponent, GridComponent, LegendComponent,
  TooltipComponent, LabelLayout, CanvasRenderer,
])

export { init }
