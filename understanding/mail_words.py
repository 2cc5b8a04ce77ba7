"""What mail programs call the parts of a mail that they quote, in the languages that leads write in."""

from __future__ import annotations


def _words(text: str) -> tuple[str, ...]:
    return tuple(" ".join(word.split()) for word in text.split(","))


# "On Monday, Dana wrote:"
WROTE = _words("""
    wrote, writes, sent, schrieb, a écrit, écrit, escribió, ha escrito, ha scritto, scrisse, escreveu,
    schreef, geschreven, skrev, kirjoitti, napisał, napisała, napisał(a), napsal, napsala, napsal(a), napísal,
    a scris, írta, yazdı, şunu yazdı, написал, написала, написал(а), пишет, написав, đã viết, έγραψε, كتب,
    כתב, menulis, tulis, ने लिखा, va escriure, je napisao, 写道, 寫道, のメッセージ, が書きました, 님이 작성
""")
# "----- Original message -----"
ORIGINAL_MESSAGE = _words("""
    original message, reply message, ursprüngliche nachricht, original-nachricht, originalnachricht, message
    d'origine, message original, mensaje original, messaggio originale, mensagem original, oorspronkelijk
    bericht, wiadomość oryginalna, oryginalna wiadomość, oprindelig meddelelse, opprinnelig melding,
    originalmeddelande, ursprungligt meddelande, alkuperäinen viesti, původní zpráva, mesaj original, eredeti
    üzenet, orijinal mesaj, исходное сообщение, оригинальное сообщение, pesan asli, mesej asal, मूल संदेश,
    原始邮件, 原始郵件, 元のメッセージ, 원본 메시지
""")
# "----- Forwarded message -----"
FORWARDED_MESSAGE = _words("""
    forwarded message, begin forwarded message, weitergeleitete nachricht, anfang der weitergeleiteten
    nachricht, message transféré, début du message réexpédié, mensaje reenviado, messaggio inoltrato, inizio
    messaggio inoltrato, mensagem encaminhada, doorgestuurd bericht, wiadomość przekazana, videresendt
    meddelelse, vidarebefordrat meddelande, välitetty viesti, pesan diteruskan, 転送メッセージ, 转发的邮件, пересылаемое
    сообщение
""")
# the heads that Outlook copies above a mail
AUTHOR_HEADERS = _words("""
    from, von, de, da, van, od, fra, från, lähettäjä, от, від, feladó, expéditeur, nadawca, gönderen,
    mittente, dari, daripada, प्रेषक, 发件人, 寄件者, 差出人, 보낸 사람
""")
DATE_HEADERS = _words("""
    sent, date, gesendet, datum, envoyé, envoyé le, enviado, enviado el, enviado em, fecha, data, inviato,
    verzonden, wysłano, wysłane, sendt, dato, skickat, lähetetty, päivämäärä, отправлено, дата, odesláno,
    dikirim, tanggal, dihantar, tarikh, दिनांक, 发送时间, 日期, 送信日時, 日付, 보낸 날짜
""")
SUBJECT_HEADERS = _words("""
    subject, betreff, objet, asunto, oggetto, onderwerp, temat, assunto, emne, ämne, aihe, тема, předmět, tárgy,
    konu, subjek, perihal, विषय, 主题, 主旨, 件名, 제목
""")
OTHER_HEADERS = _words("""
    to, an, à, a, para, aan, do, til, till, vastaanottaja, кому, pour, adresat, címzett, kepada, सेवा में, 收件人, 宛先,
    받는 사람, cc, kopie, kopia, copie, bcc, reply-to, importance, priority, organization
""")
