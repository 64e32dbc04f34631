/** Format of times for people: local, with its zone, as `2026-11-28 04:05:06 +01:00`. Programs get ISO 8601 in UTC. */
export function localTime(date: Date): string {
  const offset = -date.getTimezoneOffset()
  const two = (value: number) => String(value).padStart(2, '0')
  const [hours, minutes] = [Math.floor(Math.abs(offset) / 60), Math.abs(offset) % 60]
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':')
  return `${day} ${time} ${offset < 0 ? '-' : '+'}${two(hours)}:${two(minutes)}`
}
