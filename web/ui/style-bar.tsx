import { t } from './i18n.ts'
import { change, settings } from './settings.ts'
import { FONTS } from './style.ts'

const SIZES = [8, 10, 12, 14, 16, 18, 20, 24, 28, 32]

/** Font, size and colour of the user's own messages. */
export function StyleBar() {
  const { style } = settings.value
  return (
    <fieldset class="style-bar" aria-label={t('style.title')}>
      <label>
        {t('style.font')}
        <select
          value={style.font ?? ''}
          onChange={({ currentTarget }) => change({ style: { ...style, font: currentTarget.value || undefined } })}
        >
          <option value="">{t('style.default')}</option>
          {Object.keys(FONTS).map((font) => (
            <option key={font} value={font}>
              {font}
            </option>
          ))}
        </select>
      </label>
      <label>
        {t('style.size')}
        <select
          value={style.fontSize ?? ''}
          onChange={({ currentTarget }) =>
            change({ style: { ...style, fontSize: Number(currentTarget.value) || undefined } })
          }
        >
          <option value="">{t('style.default')}</option>
          {SIZES.map((size) => (
            <option key={size} value={size}>
              {size}
            </option>
          ))}
        </select>
      </label>
      <label>
        {t('style.colour')}
        <input
          type="color"
          value={style.color ?? '#000000'}
          onInput={({ currentTarget }) => change({ style: { ...style, color: currentTarget.value } })}
        />
      </label>
      <button type="button" class="link" onClick={() => change({ style: {} })}>
        {t('style.reset')}
      </button>
    </fieldset>
  )
}
