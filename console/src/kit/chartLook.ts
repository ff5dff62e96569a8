/** Our tokens as ECharts wants them: charts look like the rest, in each theme. */

export interface Look {
  series: string[]
  text: string
  soft: string
  line: string
  raised: string
  font: string
  /** Pixels of the base type. */
  size: number
}

export function lookNow(root: HTMLElement = document.documentElement): Look {
  const style = getComputedStyle(root)
  const token = (name: string): string => style.getPropertyValue(`--${name}`).trim()
  return {
    series: [1, 2, 3, 4, 5, 6].map((index) => token(`series-${index}`)),
    text: token('text'),
    soft: token('text-soft'),
    line: token('line'),
    raised: token('raised'),
    font: token('font'),
    size: (parseFloat(style.fontSize) || 16) * 0.8125,
  }
}

/** What every chart has, under what the page says. Tooltips are drawn, not written as HTML: the policy allows no style there. */
export function withLook(
  option: Record<string, unknown>,
  look: Look,
  still: boolean,
  label: string,
): Record<string, unknown> {
  const axis = {
    axisLine: { lineStyle: { color: look.line } },
    axisTick: { lineStyle: { color: look.line } },
    axisLabel: { color: look.soft, fontSize: look.size },
    nameTextStyle: { color: look.soft, fontSize: look.size },
    splitLine: { lineStyle: { color: look.line } },
  }
  const part = (name: string, base: object): object => {
    const given = option[name]
    if (given === undefined) return {}
    const laid = (one: unknown): object => ({ ...base, ...(one as object) })
    return { [name]: Array.isArray(given) ? given.map(laid) : laid(given) }
  }
  return {
    color: look.series,
    backgroundColor: 'transparent',
    animation: !still,
    animationDuration: 300,
    textStyle: { fontFamily: look.font, fontSize: look.size, color: look.text },
    aria: { enabled: true, label: { description: label }, decal: { show: false } },
    ...option,
    ...part('xAxis', axis),
    ...part('yAxis', axis),
    ...part('legend', { textStyle: { color: look.soft, fontSize: look.size }, itemWidth: 14, itemHeight: 10 }),
    ...part('grid', { left: 8, right: 16, top: 24, bottom: 8, containLabel: true }),
    tooltip: {
      renderMode: 'richText',
      confine: true,
      backgroundColor: look.raised,
      borderColor: look.line,
      textStyle: { color: look.text, fontSize: look.size, fontFamily: look.font },
      ...(option.tooltip as object | undefined),
    },
  }
}
