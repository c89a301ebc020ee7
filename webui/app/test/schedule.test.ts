// The schedule between its lines and the week that they fill.
import { describe, expect, test } from 'vitest'
import { days, linesOf, paint, parseLine, weekOf, type Week } from '../src/lib/schedule'

describe('schedule', () => {
  test('lines are read as the node reads them', () => {
    for (const good of ['mon-fri 08:00-18:00 up=1M down=5M', 'daily up=0', 'sat,sun 22:00-06:00 down=none', 'fri-mon up=1.5MiB', '00:00-24:00 up=1KB/s', 'MON UP=1']) expect(parseLine(good), good).toBeDefined()
    for (const bad of ['', 'mon', 'mon 8-9 up=1', 'mon 08:00 up=1', 'up=x', 'on=1', '25:00-26:00 up=1', '10:00-10:00 up=1', '24:00-01:00 up=1', 'up=1 mon', 'mon-fri-sat up=1', 'foo up=1', 'mon 08:60-09:00 up=1']) expect(parseLine(bad), bad).toBeUndefined()
  })

  test('the first line that covers a time applies', () => {
    const w = weekOf(['mon 08:00-12:00 up=1MB', 'daily down=2MB', 'daily up=3MB'])!
    expect([w.cells[0]![8], w.cells[0]![12], w.cells[6]![0]]).toEqual([0, 1, 1])
    expect(linesOf(w)).toEqual(['mon 08:00-12:00 up=1MB', 'mon 00:00-08:00 down=2MB', 'mon 12:00-24:00 down=2MB', 'tue-sun 00:00-24:00 down=2MB'])
  })

  test('a night belongs to the day on which it begins', () => {
    const w = weekOf(['sun 22:30-06:00 up=1MB'])!
    expect([w.slot, w.cells[6]![45], w.cells[6]![44], w.cells[0]![11], w.cells[0]![12], w.cells[6]![0]]).toEqual([30, 0, -1, 0, -1, -1])
  })

  test('what is finer than quarters of an hour is for the lines', () => {
    expect(weekOf(['mon 08:20-09:00 up=1'])).toBeUndefined()
    expect(weekOf(['mon 08:45-09:00 up=1'])!.slot).toBe(15)
    expect(weekOf(['nonsense'])).toBeUndefined()
  })

  test('a week written as lines is the same week', () => {
    let seed = 7
    const random = (n: number): number => (seed = (seed * 1103515245 + 12345) % 2147483648) % n
    for (let round = 0; round < 100; round++) {
      const slot = [60, 30, 15][random(3)]!
      let week: Week = { slot, kinds: [{ up: 1e6 }, { down: 0 }, { up: 1536, down: 2 * 1024 ** 2 }], cells: days.map(() => Array<number>(1440 / slot).fill(-1)) }
      for (let i = 0; i < 6; i++) week = paint(week, random(4) - 1, [random(7), random(1440 / slot)], [random(7), random(1440 / slot)])
      const again = weekOf(linesOf(week))!
      const whole = (w: Week): unknown => w.cells.map((slots) => slots.flatMap((k) => Array<unknown>(w.slot / 15).fill(w.kinds[k])))
      expect(whole(again), linesOf(week).join('\n')).toEqual(whole(week))
    }
  })
})
