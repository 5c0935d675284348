"""The codes: what each one means and what to do about it, in German for the people who run Curavani (mail, console)
and in English for the terminal.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum, auto
from typing import Literal, Self

Severity = Literal["error", "finding"]


def _error(english: str, german: str) -> tuple[auto, Severity, str, str]:
    return auto(), "error", english, german


def _finding(english: str, german: str) -> tuple[auto, Severity, str, str]:
    return auto(), "finding", english, german


class Code(StrEnum):
    """A code, whose word is its name in small letters, with its meaning.

    `severity` is `error` where something was not imported or does not work, and `finding` where the import went on.
    `english` and `german` say in one or two sentences what it means and what to do.
    """

    severity: Severity
    english: str
    german: str

    def __new__(cls, word: str, severity: Severity, english: str, german: str) -> Self:
        code = str.__new__(cls, word)
        code._value_ = word
        code.severity, code.english, code.german = severity, english, german
        return code

    # Files
    INVALID_JSON = _error(
        "The file is not strict JSON (UTF-8, an object, no duplicate keys). Have the sender produce it again.",
        "Die Datei ist kein gültiges JSON. Bitte beim Absender neu erzeugen lassen.",
    )
    MISSING_SECTION = _error(
        "A required section is absent or has the wrong type. Have the sender produce the file again.",
        "Ein Pflichtabschnitt fehlt oder hat die falsche Form. Bitte beim Absender neu erzeugen lassen.",
    )
    VALIDATION_FAILED = _error(
        "At least one field is missing or not allowed; the findings say which. Correct it in the console or by curavani imports correct: the person is waiting.",
        "Mindestens eine Angabe fehlt oder ist nicht erlaubt. Bitte auf der Seite der Datei korrigieren: Die Person wartet.",
    )
    TOKEN_MISMATCH = _error(
        "The token in the file's name is not the one inside: two registrations may be mixed up. Ask the person before importing anything.",
        "Das Kennzeichen im Dateinamen passt nicht zum Inhalt: Anmeldungen könnten vertauscht sein. Bitte vor dem Import klären.",
    )
    FILE_TOO_LARGE = _error(
        "The file exceeds the size limit and was not read. Check its origin; raise the limit only if it is genuine.",
        "Die Datei überschreitet die erlaubte Größe und wurde nicht gelesen. Bitte die Herkunft prüfen.",
    )
    EMPTY_FILE = _error(
        "The file has no content. Have the sender upload it again.",
        "Die Datei ist leer. Bitte erneut hochladen lassen.",
    )
    ERASED_REGISTRATION = _error(
        "This registration belongs to a person whose data was erased. It is not imported again; discard it and delete the source.",
        "Diese Anmeldung gehört zu einer gelöschten Person und wird nicht erneut importiert. Bitte verwerfen und die Datei auch in der Ablage löschen lassen.",
    )
    PATIENT_RESTRICTED = _error(
        "The patient's data is restricted, or consent was withdrawn: nothing is written to them. Take the mark back and retry, or discard the file.",
        "Die Daten dieser Person sind eingeschränkt, oder die Einwilligung ist widerrufen: Es wird nichts eingetragen. Bitte heben Sie die Einschränkung auf und versuchen Sie es erneut, oder verwerfen Sie die Datei.",
    )
    ERASED_PERSON_RESTORED = _error(
        "A restored database backup has brought erased people back. Erase them again: `curavani patients re-erase`.",
        "Eine zurückgespielte Datensicherung hat gelöschte Personen wiederhergestellt. Bitte erneut löschen: `curavani patients re-erase`.",
    )
    TOO_MANY_INVALID = _error(
        "More than half of the file's records are invalid, so nothing of it was applied. The scraper's format may have changed.",
        "Mehr als die Hälfte der Einträge ist ungültig, daher wurde nichts übernommen. Vermutlich hat sich das Format geändert.",
    )
    RECORD_TOO_LARGE = _error(
        "The record is longer than a million characters, far more than a practice can say; it was left out. Look at it in the file, and mend the scraper.",
        "Der Eintrag hat über eine Million Zeichen, weit mehr, als eine Praxis angeben kann; er wurde ausgelassen. Bitte in der Datei ansehen und den Scraper berichtigen.",
    )
    IMPLAUSIBLE_COUNT = _error(
        "The file lists far fewer therapists than this ZIP usually has, so nothing of it was applied. Check the scraper; if there really are so few now, retry, and the file is applied as it is.",
        "Die Datei enthält deutlich weniger Therapeuten als üblich, daher wurde nichts übernommen. Bitte den Scraper prüfen. Sind es wirklich nur noch so wenige: erneut versuchen, dann gilt die Datei.",
    )
    IMPLAUSIBLE_CHANGE = _error(
        "Most of the file's therapists are unknown, though this ZIP is known, so nothing of it was applied. The source may have renamed everybody; check the scraper. If they really are new, retry, and the file is applied as it is.",
        "Die meisten Therapeuten der Datei sind unbekannt, obwohl diese Postleitzahl bekannt ist; daher wurde nichts übernommen. Bitte den Scraper prüfen. Sind es wirklich andere: erneut versuchen, dann gilt die Datei.",
    )
    SUPERSEDED = _finding(
        "A newer scrape has been applied already; this file, or this record of it, was left out.",
        "Ein neuerer Stand ist bereits übernommen; diese Datei oder dieser Eintrag wurde ausgelassen.",
    )
    BEFORE_ADOPTION = _finding(
        "This scrape was imported before this program took over; it serves as what the source said last.",
        "Diese Datei wurde schon vor der Übernahme importiert; sie dient als letzter bekannter Stand der Arztsuche.",
    )
    DUPLICATE_CONTENT = _finding(
        "The same content is applied already; nothing was done twice.",
        "Derselbe Inhalt ist bereits übernommen; nichts wurde doppelt verarbeitet.",
    )
    DUPLICATE_PATIENT = _finding(
        "The patient exists already and the policy is to leave existing patients alone; the consent was kept.",
        "Die Person ist bereits erfasst und wurde nach Vorgabe nicht verändert; die Einwilligung ist gespeichert.",
    )
    SOURCE_GONE = _finding(
        "The object vanished from the bucket before it could be read.",
        "Die Datei ist aus der Ablage verschwunden, bevor sie gelesen werden konnte.",
    )
    SIGNATURE_INVALID = _error(
        "The registration's signature is wrong or missing, so it may not come from the website's form. Check the form and its key before anything is imported.",
        "Die Unterschrift der Anmeldung ist falsch oder fehlt; vielleicht stammt sie nicht vom Formular der Website. Bitte Formular und Schlüssel prüfen.",
    )
    UNUSABLE_NAME = _error(
        "An object in the bucket has a name that cannot be stored (NUL or broken characters), so it was left alone. Have the sender upload it again under another name, and delete it.",
        "Eine Datei in der Ablage hat einen unbrauchbaren Namen (NUL oder fehlerhafte Zeichen) und wurde nicht angerührt. Bitte unter anderem Namen neu hochladen lassen und diese löschen.",
    )
    COPY_UNKNOWN = _error(
        "Local copies of registrations lie in the folder that no entry knows. Look whose they are: they may be of somebody whose data is to be erased.",
        "Im Ordner der Kopien liegen Anmeldungen, zu denen es keinen Eintrag gibt. Bitte prüfen, von wem sie sind: Sie könnten zu einer Person gehören, deren Daten gelöscht werden müssen.",
    )
    NO_REGISTRATION = _error(
        "No registration has come for so long that, by the last eight weeks, chance explains it less than once a year. Try the website's form.",
        "So lange ohne Anmeldung ist nach den letzten acht Wochen sehr ungewöhnlich. Bitte ausprobieren, ob das Formular auf der Website funktioniert.",
    )
    # Transient
    STORAGE_UNAVAILABLE = _error(
        "Cloud storage could not be read. It is tried again by itself; check credentials and network if it lasts.",
        "Die Cloud-Ablage ist nicht erreichbar. Es wird von selbst erneut versucht; hält es an, bitte Zugang und Netz prüfen.",
    )
    DOWNLOAD_CORRUPT = _error(
        "The bytes received differ from the checksum. It is tried again by itself.",
        "Die Datei kam beschädigt an. Es wird von selbst erneut versucht.",
    )
    INTERRUPTED = _error(
        "The work was cut off: the process ended, or the database went away. It goes on by itself; a file at which that happens again and again waits, and is tried again later.",
        "Die Arbeit wurde unterbrochen: Der Prozess endete oder die Datenbank war weg. Sie geht von selbst weiter; eine Datei, bei der das immer wieder geschieht, wird erst später wieder versucht.",
    )
    DATABASE_READ_ONLY = _error(
        "PostgreSQL takes no writes, as after a failover to a standby. Connect the services to the primary server.",
        "PostgreSQL nimmt nichts an, wie nach einem Wechsel auf einen Ersatzserver. Bitte die Dienste mit dem Hauptserver verbinden lassen.",
    )
    DATABASE_FORBIDDEN = _error(
        "PostgreSQL refuses the login, or a right on our tables. Check user, password and grants of DATABASE_URL.",
        "PostgreSQL lehnt die Anmeldung oder ein Recht ab. Bitte Benutzer, Kennwort und Rechte prüfen lassen.",
    )
    POOLER_IN_TRANSACTION_MODE = _error(
        "The pooler in front of PostgreSQL shares sessions between transactions, so that no lock holds and nothing is imported, sent or mailed. Set it to session mode (PgBouncer: pool_mode = session), or connect to PostgreSQL itself.",
        "Der Pooler vor PostgreSQL teilt Sitzungen zwischen Transaktionen auf. Damit hält keine Sperre, daher wird nichts importiert, gesendet oder gemailt. Bitte auf Sitzungen umstellen lassen (PgBouncer: pool_mode = session) oder direkt mit PostgreSQL verbinden.",
    )
    DATABASE_FULL = _error(
        "PostgreSQL's disk is full. Make room; nothing is lost, and imports go on by themselves.",
        "Die Platte der Datenbank ist voll. Bitte Platz schaffen; es geht nichts verloren, der Import läuft danach weiter.",
    )
    DATABASE_UNAVAILABLE = _error(
        "The database could not be reached. Nothing is lost; imports go on when it is back.",
        "Die Datenbank ist nicht erreichbar. Es geht nichts verloren; der Import läuft weiter, sobald sie zurück ist.",
    )
    # Of the database, what the codes above do not tell
    SERVER_UNREACHABLE = _error(
        "PostgreSQL does not answer at the address of DATABASE_URL: check address, network and whether the server runs.",
        "PostgreSQL antwortet unter der Adresse in DATABASE_URL nicht. Bitte Adresse, Netz und Server prüfen lassen.",
    )
    SERVER_SHUTS_DOWN = _error(
        "PostgreSQL is starting, shutting down or recovering.",
        "PostgreSQL fährt gerade hoch oder herunter oder stellt sich wieder her.",
    )
    TOO_MANY_CONNECTIONS = _error(
        "No connection to PostgreSQL was free within ten seconds: raise max_connections, or run fewer processes.",
        "Zehn Sekunden lang war keine Verbindung zu PostgreSQL frei. Bitte max_connections erhöhen oder weniger Prozesse starten lassen.",
    )
    DATABASE_UNKNOWN = _error(
        "PostgreSQL has no database of the name in DATABASE_URL.",
        "PostgreSQL kennt keine Datenbank mit dem Namen in DATABASE_URL.",
    )
    LOGIN_REFUSED = _error(
        "PostgreSQL refuses the login: user, password or pg_hba.conf.",
        "PostgreSQL lehnt die Anmeldung ab: Benutzer, Kennwort oder pg_hba.conf.",
    )
    RIGHT_MISSING = _error(
        "The user of DATABASE_URL may log in, but lacks a right.",
        "Der Benutzer aus DATABASE_URL darf sich anmelden, ihm fehlt aber ein Recht.",
    )
    DISK_UNAVAILABLE = _error(
        "The local copy could not be written (disk full, read-only or folder missing). Make room or mend the folder; it is tried again by itself.",
        "Die lokale Kopie konnte nicht geschrieben werden. Bitte Platz schaffen oder den Ordner prüfen; es wird von selbst erneut versucht.",
    )
    TEMPORARILY_UNAVAILABLE = _error(
        "A needed part did not answer. It is tried again by itself.",
        "Ein benötigter Teil antwortet nicht. Es wird von selbst erneut versucht.",
    )
    LOCK_LOST = _error(
        "The connection that held the import lock broke. Another process goes on with the work.",
        "Die Verbindung mit der Import-Sperre ist abgerissen. Ein anderer Prozess macht weiter.",
    )
    LOCK_HELD = _error(
        "Another process is importing just now. Wait for it, or use --wait.",
        "Ein anderer Prozess importiert gerade. Bitte warten.",
    )
    DATABASE_NOT_MIGRATED = _error(
        "The database schema is missing or too old. Run `curavani db upgrade`.",
        "Das Datenbankschema fehlt oder ist veraltet. Bitte `curavani db upgrade` ausführen.",
    )
    DATABASE_FOREIGN = _error(
        "The tables in this database are not ours, so nothing was done. Run `curavani db adopt --plan`: it says what taking them over would change.",
        "Die Tabellen dieser Datenbank stammen von einem anderen Programm, daher geschieht hier nichts. Bitte `curavani db adopt --plan` ausführen: Das zeigt, was eine Übernahme ändern würde.",
    )
    ADOPTION_REFUSED = _error(
        "Something in the database does not fit, so nothing was changed. Correct what the plan names, and run it again.",
        "Etwas in der Datenbank passt nicht, daher wurde nichts geändert. Bitte berichtigen, was der Plan nennt, und erneut ausführen.",
    )
    ADOPTION_FAILED = _error(
        "The database could not be taken over; everything is as it was. Send the reasons to the developers.",
        "Die Datenbank konnte nicht übernommen werden; alles ist, wie es war. Bitte die genannten Gründe an die Entwicklung geben.",
    )
    SCHEMA_BUSY = _error(
        "Running work kept a table for too long, so the schema was not changed. Run it again.",
        "Laufende Arbeit hielt eine Tabelle zu lange fest, daher blieb das Schema unverändert. Bitte erneut ausführen.",
    )
    SETTINGS_INVALID = _error(
        "Settings are missing or malformed. Correct the variables that the message names.",
        "Einstellungen fehlen oder sind fehlerhaft. Bitte die genannten Variablen korrigieren.",
    )
    FOLDER_UNAVAILABLE = _error(
        "The import folder is missing or may not be read. Mount it or mend its permissions.",
        "Der Import-Ordner fehlt oder ist nicht lesbar. Bitte einhängen oder die Rechte prüfen.",
    )
    NOT_FOUND = _error(
        "There is no such entry. Check the number.", "Diesen Eintrag gibt es nicht. Bitte die Nummer prüfen."
    )
    INTERNAL_ERROR = _error(
        "A fault in the program. The log holds the place; the file is kept and can be retried.",
        "Ein Programmfehler. Das Protokoll nennt die Stelle; die Datei ist erhalten und kann erneut versucht werden.",
    )
    PERSON_BUSY = _error(
        "An import works on this person just now, so nothing was erased. Try again in a moment.",
        "An dieser Person arbeitet gerade der Import, daher wurde nichts gelöscht. Bitte gleich noch einmal versuchen.",
    )
    # Fields
    MISSING = _error("A required field is missing.", "Ein Pflichtfeld fehlt.")
    INVALID_TYPE = _error("The value has the wrong type.", "Eine solche Angabe passt nicht in dieses Feld.")
    INVALID_VALUE = _error("The word is not one of the allowed ones.", "Dieses Wort ist hier nicht erlaubt.")
    INVALID_DATE = _error(
        "Not a calendar date in the form YYYY-MM-DD.", "Das ist kein gültiges Datum der Form JJJJ-MM-TT."
    )
    INVALID_TIMESTAMP = _error("Not a valid point in time.", "Kein gültiger Zeitpunkt.")
    INVALID_BOOLEAN = _error("Only true or false are allowed.", "Hier geht nur Ja oder Nein (true oder false).")
    INVALID_EMAIL = _error("Not a valid e-mail address.", "Keine gültige E-Mail-Adresse.")
    TOO_LONG = _error("The value is longer than the field allows.", "Der Wert ist länger als erlaubt.")
    OUT_OF_RANGE = _error(
        "The number is outside the allowed range.", "Die Zahl liegt außerhalb des erlaubten Bereichs."
    )
    NUL_CHARACTER = _error(
        "The text contains a character that cannot be stored: NUL, or half of one. Enter it anew.",
        "Der Text enthält ein unbrauchbares Zeichen (NUL oder ein halbes Zeichen). Bitte neu eintragen.",
    )
    INVALID_CHARACTER = _error("The text contains a broken character.", "Der Text enthält ein fehlerhaftes Zeichen.")
    COMMUNICATION_UNAVAILABLE = _error(
        "The communication service does not answer. Try again later.",
        "Der Kommunikationsdienst antwortet nicht. Bitte später erneut versuchen.",
    )
    NOT_ALLOWED = _error(
        "The entry's state does not allow this. Look at it again; somebody may have been faster.",
        "Der Stand des Eintrags lässt das nicht zu. Bitte neu ansehen; vielleicht war jemand schneller.",
    )
    NOT_CORRECTABLE = _error(
        "A file of this kind cannot be corrected: its content was never read, is not to be trusted, or belongs to an erased person. Ask the sender for a new file, or discard it.",
        "Eine solche Datei lässt sich nicht korrigieren: Ihr Inhalt wurde nicht gelesen, ist nicht vertrauenswürdig oder gehört zu einer gelöschten Person. Bitte eine neue Datei anfordern oder diese verwerfen.",
    )
    COPY_GONE = _error(
        "No copy of the file is kept. Ask for the registration again, or enter the person by hand.",
        "Von der Datei ist keine Kopie vorhanden. Bitte die Anmeldung neu anfordern oder die Person von Hand erfassen.",
    )
    EVIDENCE_CHANGED = _error(
        "Consent, token and time of a registration are evidence and stay as they came. Correct only what the person says about themselves.",
        "Einwilligung, Kennzeichen und Zeitpunkt der Anmeldung sind Nachweise und bleiben, wie sie kamen. Korrigieren lassen sich nur die Angaben zur Person.",
    )
    CONSENT_UNREADABLE = _finding(
        "The person was entered by hand, and no consent could be read in the file. Ask the person for a new one.",
        "Die Person wurde von Hand eingetragen, in der Datei war keine Einwilligung lesbar. Bitte die Einwilligung neu einholen.",
    )
    DECISION_FINAL = _error(
        "This decision cannot be undone: it joined two records, or the person's data has been erased since. Correct the record by hand.",
        "Diese Entscheidung lässt sich nicht rückgängig machen: Zwei Einträge wurden zusammengeführt, oder die Daten wurden inzwischen gelöscht. Bitte den Eintrag von Hand berichtigen.",
    )
    CHANGED_SINCE = _error(
        "What the decision wrote has been changed since, so it cannot be undone without losing that. Correct the record by hand.",
        "Was die Entscheidung geschrieben hat, wurde inzwischen geändert und ginge verloren. Bitte den Eintrag von Hand berichtigen.",
    )
    GONE_SINCE = _error(
        "A record that the decision was about does not exist any more, so there is nothing to undo.",
        "Ein Eintrag, um den es ging, besteht nicht mehr. Es gibt nichts rückgängig zu machen.",
    )
    EDITED_SINCE = _error(
        "Somebody has changed this field since the review was opened; the source's value would overwrite that. Choose staff to keep what it holds now, or enter the source's value by hand.",
        "Das Feld wurde inzwischen von Hand geändert; der Wert der Arztsuche würde das überschreiben. Bitte unseren Wert behalten, oder den der Arztsuche von Hand eintragen.",
    )
    ASKED_AGAIN = _error(
        "A newer review of the same record has been opened since. Decide that one.",
        "Zum selben Eintrag steht inzwischen eine neuere Entscheidung an. Bitte diese treffen.",
    )
    ANSWERED_SINCE = _error(
        "A later file lists this person, and the record has found its row: nothing is left to decide. The next pass closes the review.",
        "Eine spätere Datei nennt diese Person, und der Eintrag ist zugeordnet: Es ist nichts mehr zu entscheiden. Der nächste Import schließt die Entscheidung.",
    )
    # Findings on registrations
    UNKNOWN_FIELD = _finding(
        "A field this program does not know; its value stays in the local copy.",
        "Ein unbekanntes Feld; sein Wert bleibt in der lokalen Kopie.",
    )
    STAFF_FIELD_IGNORED = _finding(
        "A field that only staff may set was in the file and was ignored.",
        "In der Datei stand ein Feld, das nur wir ausfüllen; es wurde übergangen.",
    )
    MISSING_TOKEN = _finding(
        "The registration carries no token, so it is recognised by its content only.",
        "Die Anmeldung trägt kein Kennzeichen und wird nur am Inhalt wiedererkannt.",
    )
    UNPARSABLE_NAME = _finding(
        "The object's name does not follow the usual pattern; the content decided.",
        "Der Dateiname folgt nicht dem üblichen Muster; entschieden hat der Inhalt.",
    )
    BIRTH_DATE_CHANGED = _finding(
        "The same name and e-mail came with another birth date; please check that it is the same person.",
        "Gleicher Name und gleiche E-Mail, aber anderes Geburtsdatum; bitte prüfen, ob es dieselbe Person ist.",
    )
    MORE_FINDINGS = _finding(
        "The file has more findings of the same kind than are kept; its local copy shows all.",
        "Die Datei hat mehr gleichartige Auffälligkeiten, als hier aufgehoben werden; die Kopie zeigt alle.",
    )
    OLDER_REGISTRATION = _finding(
        "A newer registration of the same person was imported before; this one only filled what was empty. Its consent is kept.",
        "Von derselben Person liegt schon eine neuere Anmeldung vor. Diese hat nur leere Felder gefüllt; ihre Einwilligung ist gespeichert.",
    )
    IMPLAUSIBLE_DATE = _finding(
        "A date that can hardly be right: before anybody could have meant it, or in the future. It was imported as it is; please ask the person.",
        "Dieses Datum kann kaum stimmen: Es liegt in der Zukunft oder sehr weit zurück. Es wurde so übernommen; bitte nachfragen.",
    )
    SHORT_TOKEN = _finding(
        "The token in the object's name is too short to tell two registrations apart; the one inside decided.",
        "Das Kennzeichen im Dateinamen ist zu kurz, um Anmeldungen zu unterscheiden; entschieden hat das in der Datei.",
    )
    POSSIBLE_DUPLICATE = _finding(
        "The person may exist already; a decision is waiting.",
        "Die Person könnte bereits erfasst sein; eine Entscheidung steht aus.",
    )
    # Operation
    FOLDER_UNREADABLE = _error(
        "A folder of scrapes may not be read; the others were. Mend its permissions; the next pass looks again.",
        "Ein Ordner der Arztsuche ist nicht lesbar; die anderen wurden gelesen. Bitte die Rechte prüfen.",
    )
    FILE_UNREADABLE = _error(
        "The file may not be read. Mend its permissions; it is tried again by itself.",
        "Die Datei ist nicht lesbar. Bitte die Rechte prüfen; es wird von selbst erneut versucht.",
    )
    FILE_CHANGING = _finding(
        "The file changed while it was read and waits until it is complete.",
        "Die Datei wurde während des Lesens geändert und wartet, bis sie vollständig ist.",
    )
    MAIL_UNAVAILABLE = _error(
        "The mail server did not take the mail. It is tried again by itself; check address and login if it lasts.",
        "Der Mailserver nimmt nichts an. Es wird von selbst erneut versucht; hält es an, bitte Adresse und Anmeldung prüfen.",
    )
    NO_LEADER = _error(
        "No process runs the import. Start the service; its log says why it ended.",
        "Der Import läuft nicht. Bitte den Dienst starten; das Protokoll nennt den Grund.",
    )
    NO_RELAY = _error(
        "No process sends the events. Start the service; its log says why it ended.",
        "Meldungen an die anderen Dienste werden nicht gesendet. Bitte den Dienst starten; das Protokoll nennt den Grund.",
    )
    NO_MAILER = _error(
        "No process sends the mails. Start the service; its log says why it ended.",
        "Mails werden nicht verschickt. Bitte den Dienst starten; das Protokoll nennt den Grund.",
    )
    NO_CONTACT_READER = _error(
        "No process reads the communication service's events, so last contacts stay as they are. Start the service; its log says why it ended.",
        "Was der Kommunikationsdienst meldet, wird nicht gelesen; die letzten Kontakte bleiben stehen. Bitte den Dienst starten; das Protokoll nennt den Grund.",
    )
    NO_PASS = _error(
        "No pass has finished for twice the interval. Look at the service's log.",
        "Der Import hätte längst wieder nach Dateien sehen sollen. Bitte das Protokoll des Dienstes ansehen.",
    )
    NO_PASS_YET = _finding(
        "No pass has finished yet; the first one is due.",
        "Der Import hat noch nicht nach Dateien gesehen; er tut es gleich.",
    )
    DISABLED = _finding(
        "The import is switched off by its setting.", "Der Import ist durch seine Einstellung abgeschaltet."
    )
    API_AUTH_OFF = _finding(
        "API_AUTH=off: whoever reaches the service may do everything, without a token. For development only.",
        "API_AUTH=off: Wer den Dienst erreicht, darf alles, ohne Zugangsschlüssel. Nur für die Entwicklung.",
    )
    NOT_CONFIGURED = _finding(
        "Not configured; what is meant for it waits in the database.",
        "Nicht eingerichtet; was dafür bestimmt ist, wartet in der Datenbank.",
    )
    NO_SCRAPE = _error(
        "No new scrape has come in for ten days. Look whether the scraper runs and writes to the folder.",
        "Seit zehn Tagen sind keine neuen Daten der Arztsuche gekommen. Bitte prüfen, ob der Scraper läuft und in den Ordner schreibt.",
    )
    FILL_RATE_DROPPED = _error(
        "A field is filled far less often in the latest scrapes than before. The source or the scraper may have changed.",
        "Ein Feld ist in den neuesten Daten der Arztsuche viel seltener gefüllt als sonst. Arztsuche oder Scraper könnten sich geändert haben.",
    )
    DAILY_DIGEST = _finding(
        "The daily digest: whether all is well, something changed, or somebody is needed.",
        "Der Tagesbericht: ob alles in Ordnung ist, sich etwas geändert hat oder jemand gebraucht wird.",
    )
    FILES_FAILED = _finding(
        "Failed files wait for a person: retry or discard each, see `curavani imports list --status failed`.",
        "Fehlgeschlagene Dateien warten: bitte jede erneut versuchen oder verwerfen.",
    )
    EVENTS_PARKED = _error(
        "Events that the brokers refuse wait for a person; release them once the cause is mended.",
        "Meldungen an andere Dienste, die Kafka ablehnt, warten; bitte nach Behebung der Ursache freigeben.",
    )
    ALERTS_WAITING = _error(
        "Alerts wait for the mail server for more than an hour. Check its address and login.",
        "Mails warten seit über einer Stunde auf den Mailserver. Bitte Adresse und Anmeldung prüfen.",
    )
    DELETE_PENDING_LONG = _error(
        "Imported registrations still lie in the bucket after a day. Check the permission to delete objects.",
        "Importierte Anmeldungen liegen nach einem Tag noch in der Ablage. Bitte die Löschrechte prüfen.",
    )
    EVENTS_WAITING = _error(
        "Events wait for the brokers. They are sent when the brokers are back; check them if it lasts.",
        "Meldungen an andere Dienste warten auf Kafka. Sie werden von selbst gesendet; hält es an, bitte Kafka prüfen.",
    )
    BROKER_UNAVAILABLE = _error(
        "The Kafka brokers cannot be reached. Events wait in the database and are sent when they are back.",
        "Kafka ist nicht erreichbar. Meldungen an andere Dienste warten in der Datenbank und werden von selbst nachgesendet.",
    )
    BROKER_ADDRESS_UNKNOWN = _error(
        "No machine has the name of the Kafka brokers. Correct KAFKA_BOOTSTRAP_SERVERS, or the name that the brokers advertise. Events wait, and are sent by themselves.",
        "Den Rechnernamen von Kafka gibt es nicht. Bitte KAFKA_BOOTSTRAP_SERVERS berichtigen lassen. Meldungen warten und werden von selbst nachgesendet.",
    )
    BROKER_TLS_FAILED = _error(
        "The encrypted connection to the Kafka brokers fails: certificate, host name or CA do not fit, or the listener is none with TLS. Check KAFKA_SECURITY_PROTOCOL and KAFKA_SSL_CA_LOCATION. Events wait, and are sent by themselves.",
        "Die verschlüsselte Verbindung zu Kafka kommt nicht zustande. Bitte Zertifikat, KAFKA_SECURITY_PROTOCOL und KAFKA_SSL_CA_LOCATION prüfen lassen. Meldungen warten und werden von selbst nachgesendet.",
    )
    BROKER_LOGIN_REFUSED = _error(
        "The Kafka brokers refuse the login. Check KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD. Events wait, and are sent by themselves.",
        "Kafka lehnt die Anmeldung ab. Bitte Verfahren, Benutzer und Kennwort prüfen lassen. Meldungen warten und werden von selbst nachgesendet.",
    )
    BROKER_FORBIDDEN = _error(
        "The Kafka brokers refuse a right that is none of a topic's: IdempotentWrite on the cluster, or Read on the consumer group. Grant it. Events wait, and are sent by themselves.",
        "Kafka verweigert ein Recht (IdempotentWrite auf dem Cluster oder Read auf der Verbrauchergruppe). Bitte erteilen lassen. Meldungen warten und werden von selbst nachgesendet.",
    )
    TOPIC_MISSING = _error(
        "The Kafka topic does not exist. Create it: kafka-topics.sh --bootstrap-server HOST:9092 --create --topic patient-events --partitions 3 --replication-factor 3 (of therapists: therapist-events). Events wait, and are sent by themselves.",
        "Das Kafka-Thema fehlt. Bitte anlegen: kafka-topics.sh --bootstrap-server HOST:9092 --create --topic patient-events --partitions 3 --replication-factor 3 (bei Therapeuten: therapist-events). Meldungen warten und werden von selbst nachgesendet.",
    )
    COMMUNICATION_TOPIC_UNAVAILABLE = _error(
        "The topic named by COMMUNICATION_EVENTS_TOPIC does not exist, or the brokers do not allow reading it. Correct the name, create it or grant the right; last contacts are then caught up on by themselves.",
        "Das Kafka-Thema aus COMMUNICATION_EVENTS_TOPIC fehlt oder darf nicht gelesen werden. Bitte den Namen berichtigen, das Thema anlegen oder das Recht erteilen; die letzten Kontakte werden dann von selbst nachgetragen.",
    )
    EVENT_TOO_LARGE = _error(
        "The brokers refuse an event for its size. Raise the topic's max.message.bytes, then release the event: curavani events status shows its number, curavani events release sends it.",
        "Kafka lehnt eine Meldung an andere Dienste wegen ihrer Größe ab. Bitte max.message.bytes des Themas erhöhen und die Meldung freigeben (curavani events status nennt die Nummer, curavani events release sendet es).",
    )
    TOPIC_NOT_ALLOWED = _error(
        "The brokers do not allow writing to the topic. Grant the rights Write and Describe on it; events wait, and are sent by themselves.",
        "Kafka erlaubt das Schreiben in das Thema nicht. Bitte die Rechte Write und Describe erteilen lassen; Meldungen warten und werden von selbst nachgesendet.",
    )
    EVENT_REFUSED = _error(
        "The brokers refuse an event for good, and later events of the same entry wait. Decide: curavani events release tries it again, curavani events drop gives it up (curavani events status shows its number).",
        "Kafka lehnt eine Meldung an andere Dienste endgültig ab; spätere zum selben Eintrag warten. Bitte entscheiden: curavani events release versucht sie erneut, curavani events drop gibt sie auf (curavani events status nennt die Nummer).",
    )
    # Findings on scrapes
    INVALID_ZIP = _error("The postal code is not five digits.", "Die Postleitzahl hat nicht fünf Ziffern.")
    UNKNOWN_SALUTATION = _finding(
        "The salutation is unknown and left out.", "Die Anrede ist unbekannt und bleibt leer."
    )
    MISSING_SALUTATION = _finding("There is no salutation; nothing is guessed.", "Die Anrede fehlt und bleibt leer.")
    UNKNOWN_STATUS = _finding(
        "The status word is unknown and counts as modified.", "Das Statuswort ist unbekannt und gilt als geändert."
    )
    STATUS_CONTRADICTED = _finding(
        "The status in the file contradicts what was found.",
        "Der Status in der Datei widerspricht dem, was wir gefunden haben.",
    )
    UNKNOWN_METHOD = _finding(
        "The therapy method is none of those known; its text is kept.",
        "Das Therapieverfahren ist unbekannt; der Text ist übernommen.",
    )
    UNKNOWN_WEEKDAY = _finding(
        "The weekday is unknown; its times are kept under its own name.",
        "Der Wochentag ist unbekannt; die Zeiten stehen unter seinem Namen.",
    )
    INVALID_EMAIL_IGNORED = _finding(
        "The e-mail address is malformed and counts as empty.", "Die E-Mail-Adresse ist fehlerhaft und gilt als leer."
    )
    MISPLACED_VALUE = _finding(
        "Another kind of value stands there, such as an e-mail address for a telephone number; the field counts as empty.",
        "Dort steht eine andere Art von Angabe, zum Beispiel eine E-Mail-Adresse statt einer Telefonnummer; das Feld gilt als leer.",
    )
    NAME_REPAIRED = _finding(
        "White space around a hyphen of the name was removed.", "Leerraum am Bindestrich des Namens wurde entfernt."
    )
    SCRAPE_DATE_ASSUMED = _finding(
        "The scrape date is missing, unreadable or in the future; the folder's or file's date counts.",
        "Das Datum der Arztsuche fehlt, ist unlesbar oder liegt in der Zukunft; es gilt das Datum des Ordners oder der Datei.",
    )
    POSTCODE_AREA_IGNORED = _finding(
        "The postcode area is unreadable; that of the file's ZIP counts.",
        "Das Postleitzahlgebiet ist unlesbar; es gilt das der Datei.",
    )
    POSTCODE_AREA_MISMATCH = _finding(
        "The postcode area does not fit the file's ZIP.", "Das Postleitzahlgebiet passt nicht zur Datei."
    )
    WRONG_TOTAL = _finding(
        "A total in the metadata differs from what the file lists.",
        "Eine Summe in den Metadaten passt nicht zum Inhalt der Datei.",
    )
    ID_REASSIGNED = _finding(
        "The source gave this id to somebody else; the person decided, not the id.",
        "Die Arztsuche hat diese Nummer neu vergeben; entschieden hat die Person, nicht die Nummer.",
    )
    DUPLICATE_IN_FILE = _finding(
        "The same person stands in the file twice; the second record was left out.",
        "Dieselbe Person steht doppelt in der Datei; der zweite Eintrag wurde ausgelassen.",
    )
    AMBIGUOUS_IDENTITY = _finding(
        "Several therapists may be meant; nothing was written, a decision is waiting.",
        "Mehrere Therapeuten kommen in Frage; es wurde nichts geändert, eine Entscheidung steht aus.",
    )
    CONFLICT = _finding(
        "Staff and source changed the same field differently; staff's value stays, a decision is waiting.",
        "Unser Eintrag und die Arztsuche widersprechen sich; unser Wert bleibt, eine Entscheidung steht aus.",
    )
    LISTED_ELSEWHERE = _finding(
        "Another file of the same day has the word about this practice, as a rule that of its own postal code; what this one says differently was not taken over.",
        "Über diese Praxis entscheidet eine andere Datei desselben Tages, in der Regel die der eigenen Postleitzahl; abweichende Angaben wurden nicht übernommen.",
    )
    PLACEHOLDER = _finding(
        "A placeholder such as k.A. or - stands in the place of a value; it counts as empty.",
        "Statt einer Angabe steht dort ein Platzhalter wie k. A. oder -; das Feld gilt als leer.",
    )
    HTML_ENTITY = _finding(
        "The text contains HTML entities such as &amp;; they were decoded.",
        "Der Text enthält HTML-Zeichen wie &amp;; sie wurden umgewandelt.",
    )
    TITLE_IN_NAME = _finding(
        "An academic title stands in the name; it was taken out of it, and into the empty title.",
        "Im Namen steht ein akademischer Titel; er wurde herausgenommen und, wo keiner stand, als Titel übernommen.",
    )
    NOT_FOR_ADULTS = _finding(
        "No method for adults; left out by the setting THERAPIST_IMPORT_AUDIENCE.",
        "Kein Verfahren für Erwachsene; nach Einstellung ausgelassen.",
    )
    DISPLACED = _finding(
        "Listed in another file of the same day or later: pushed out of this list, not gone.",
        "Steht in einer anderen Datei desselben Tages oder einer späteren: aus dieser Liste verdrängt, aber nicht weggefallen.",
    )
    UNKNOWN_THERAPIST = _finding(
        "A deletion of somebody who is not known; there is nothing to do.",
        "Löschung einer unbekannten Person; es ist nichts zu tun.",
    )
    ERASED_THERAPIST = _finding(
        "A record of somebody who objected and was erased; it is left out.",
        "Ein Eintrag einer Person, die widersprochen hat und gelöscht ist; er wird ausgelassen.",
    )
    RESEMBLES_ERASED = _finding(
        "The record resembles somebody who objected and was erased. Nothing was written; a person has to look.",
        "Der Eintrag ähnelt einer Person, die widersprochen hat und gelöscht ist. Nichts wurde übernommen; bitte entscheiden.",
    )
    ZIP_PADDED = _finding(
        "The file's name lacks the zero that its ZIP begins with; the ZIP was completed.",
        "Dem Dateinamen fehlt die führende Null der Postleitzahl; sie wurde ergänzt.",
    )
    HELD_DELETION = _finding(
        "So many deletions at once wait for a person's approval.",
        "Ungewöhnlich viele Löschungen auf einmal: Freigabe nötig.",
    )


def describe(code: str) -> Code:
    """The meaning of `code`; an unknown one is described as an internal error, never a crash in a mail or page."""
    return _BY_WORD.get(code, Code.INTERNAL_ERROR)


@dataclass(frozen=True, slots=True)
class Explanation:
    """A meaning for people, in both languages."""

    english: str
    german: str


def explain(code: str, detail: str | None = None) -> Explanation:
    """The meaning of `code`, and what more is known: another code, or what the other side calls it."""
    meaning = describe(code)
    if detail is None:
        return Explanation(meaning.english, meaning.german)
    known = _BY_WORD.get(detail)
    if known is None:
        return Explanation(f"{meaning.english} Reported: {detail}.", f"{meaning.german} Gemeldet: {detail}.")
    return Explanation(f"{known.english} {meaning.english}", f"{known.german} {meaning.german}")


_BY_WORD: Mapping[str, Code] = {code: code for code in Code}
