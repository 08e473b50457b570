//! Words that say what a number beside them is, in the languages that mails are written in: months, days, hours,
//! ordinals, per cent. A language that is missing costs a false alarm, never a claim that passes.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use super::text::plain;

/// Months as they stand in dates, a language a line.
const MONTHS: &str = "
    january february march april may june july august september october november december sept
    januar februar märz april mai juni juli august september oktober november dezember jänner
    janvier février mars avril mai juin juillet août septembre octobre novembre décembre
    enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre
    janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro
    gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre
    januari februari maart april mei juni juli augustus september oktober november december
    januari februari mars april maj juni juli augusti september oktober november december
    januar februar marts april maj juni juli august september oktober november desember
    tammikuuta helmikuuta maaliskuuta huhtikuuta toukokuuta kesäkuuta heinäkuuta elokuuta syyskuuta lokakuuta
    marraskuuta joulukuuta
    stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października listopada grudnia
    ledna února března dubna května června července srpna září října listopadu prosince
    január február március április május június július augusztus szeptember október november december
    ianuarie februarie martie aprilie mai iunie iulie august septembrie octombrie noiembrie decembrie
    ocak şubat mart nisan mayıs haziran temmuz ağustos eylül ekim kasım aralık
    января февраля марта апреля мая июня июля августа сентября октября ноября декабря
    січня лютого березня квітня травня червня липня серпня вересня жовтня листопада грудня
    ιανουαρίου φεβρουαρίου μαρτίου απριλίου μαΐου ιουνίου ιουλίου αυγούστου σεπτεμβρίου οκτωβρίου νοεμβρίου δεκεμβρίου
    يناير فبراير مارس أبريل مايو يونيو يوليو أغسطس سبتمبر أكتوبر نوفمبر ديسمبر رمضان شوال
    فروردین اردیبهشت خرداد تیر مرداد شهریور مهر آبان آذر دی بهمن اسفند
    ژانویه فوریه مارس آوریل مه ژوئن ژوئیه اوت سپتامبر اکتبر نوامبر دسامبر
    जनवरी फ़रवरी फरवरी मार्च अप्रैल मई जून जुलाई अगस्त सितंबर सितम्बर अक्टूबर नवंबर नवम्बर दिसंबर दिसम्बर
    ינואר פברואר מרץ אפריל מאי יוני יולי אוגוסט ספטמבר אוקטובר נובמבר דצמבר
    בינואר בפברואר במרץ באפריל במאי ביוני ביולי באוגוסט בספטמבר באוקטובר בנובמבר בדצמבר
    januari februari maret april mei juni juli agustus september oktober november desember
    มกราคม กุมภาพันธ์ มีนาคม เมษายน พฤษภาคม มิถุนายน กรกฎาคม สิงหาคม กันยายน ตุลาคม พฤศจิกายน ธันวาคม
    tháng
";

/// Days, as they stand after a number of them.
const DAYS: &str = "
    day days tag tage tagen tägig jour jours día días dia dias giorno giorni dag dagen dagar dage dager päivä päivää
    dzień dni den dny dnů dní nap napig zi zile gün gündür день дня дней дні днів ημέρα ημέρες μέρες
    يوم يوما يومًا أيام ايام روز روزه दिन दिनों יום ימים hari ngày วัน
";

/// What stands after an hour.
const HOURS: &str = "
    uhr am pm h hr heure heures hora horas hs ore uur часов часа час ч години годин बजे น
";

/// What stands before an hour.
const AT: &str = "saat ساعت الساعة las kl klo godz godzinie às ore o'clock";

/// Ends of ordinals, directly after their number.
const ORDINALS: &str = "
    st nd rd th er ère ere re e ème eme nde o a os as ro do to vo mo no й го му ом я ая е ое ый ой ий
    inci ıncı uncu üncü nci ncı ncu ncü
";

/// What stands before an ordinal that ends in a dot and is followed by a noun in capitals.
const BEFORE_ORDINAL: &str = "am zum zur im vom beim der die das den dem ab bis seit";

/// Per cent, in words.
const PERCENT: &str = "percent percentage prozent procent pourcent процент процента процентов درصد प्रतिशत بالمئة";

/// One of the lists above.
#[derive(Clone, Copy)]
pub(in crate::tool) enum List {
    Months,
    Days,
    Hours,
    At,
    Ordinals,
    BeforeOrdinal,
    Percent,
}

static LISTS: LazyLock<[BTreeSet<String>; 7]> = LazyLock::new(|| {
    // Compared with what a reader takes a text for.
    let words = |list: &str| list.split_whitespace().map(plain).collect();
    [MONTHS, DAYS, HOURS, AT, ORDINALS, BEFORE_ORDINAL, PERCENT].map(words)
});

/// Whether the list has the word, given in small letters.
pub(in crate::tool) fn has(list: List, word: &str) -> bool {
    LISTS[list as usize].contains(word)
}

/// Whether the word is a month, or an English one cut to three letters or more. Those of other languages are not cut, since
/// "out" and "set" would be months.
pub(in crate::tool) fn is_month(word: &str) -> bool {
    let english = || MONTHS.trim_start().lines().next().into_iter().flat_map(str::split_whitespace);
    has(List::Months, word) || (word.chars().count() >= 3 && english().any(|month| month.starts_with(word)))
}
