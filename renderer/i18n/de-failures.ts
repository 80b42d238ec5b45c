// What the host says of failures, in German (see failure-texts.ts). A test compares the keys with what the host's sources can say.
import type { FailureTexts } from "./failure-texts.ts";

/** What went wrong. */
const messages: FailureTexts = {
  "{} is damaged: {} bytes of the disk can't be read": "{1} ist beschädigt: {2} Bytes der Platte sind nicht lesbar",
  "{} has wrong reference counts; what is on the disk is whole":
    "{1} hat falsche Referenzzähler; der Inhalt der Platte ist heil",
  "The picture of a snapshot is gone": "Das Bild eines Schnappschusses fehlt",
  'The snapshot "{}" has no memory': "Der Schnappschuss „{1}“ hat keinen Speicherinhalt",
  "{} is compressed or encrypted by NTFS": "{1} ist von NTFS komprimiert oder verschlüsselt",
  "Something on the disk ends only at {} MiB": "Auf der Platte endet etwas erst bei {1} MiB",
  "The disk has {} MiB already": "Die Platte hat schon {1} MiB",
  "There is no folder {}": "Es gibt keinen Ordner {1}",
  "There is no shared folder {}": "Es gibt keinen gemeinsamen Ordner {1}",
  '"{}" shares no folder {}': "„{1}“ hat keinen gemeinsamen Ordner {2}",
  "It is no folder: {}": "Es ist kein Ordner: {1}",
  "This folder holds Terrarium's own data: {}": "In diesem gemeinsamen Ordner lägen Terrariums eigene Daten: {1}",
  '"{}" is locked': "„{1}“ ist gesperrt",
  '"{}" is encrypted, and {} would hold its disks in the clear':
    "„{1}“ ist verschlüsselt, und ihre Platten stünden dort unverschlüsselt",
  "The disk image can't be read: {}": "Das Plattenabbild ist nicht lesbar: {1}",
  "The passphrase is not right": "Die Passphrase ist falsch",
  '"{}" was changed by somebody else at the same time': "„{1}“ wurde zugleich von jemand anderem geändert",
  '"{}" starts a kernel of this host directly, which OVF cannot say':
    "„{1}“ startet direkt einen Kernel dieses Rechners; in OVF lässt sich das nicht ausdrücken",
  "{} is not what {} says: it was changed or cut off":
    "{1} ist nicht, was {2} sagt: Es wurde verändert oder abgeschnitten",
  '"{}" can\'t be cancelled': "„{1}“ lässt sich nicht abbrechen",
  '"{}" can\'t be changed while the machine is {}': "„{1}“ lässt sich jetzt nicht ändern; die Maschine ist: {2}",
  '"{}" has no disk {}': "„{1}“ hat keine Platte {2}",
  '"{}" has no snapshot {}': "„{1}“ hat keinen Schnappschuss {2}",
  '"{}" has no writable disk {}': "„{1}“ hat keine beschreibbare Platte {2}",
  '"{}" is a template, so it can\'t be {}': "„{1}“ ist eine Vorlage, darum geht das nicht: {2}",
  '"{}" is being downloaded': "„{1}“ wird gerade heruntergeladen",
  '"{}" is in a drive of {}': "„{1}“ ist in einem Laufwerk von {2}",
  '"{}" is not running': "„{1}“ läuft nicht",
  '"{}" does not start through firmware, which has the boot menu':
    "„{1}“ startet nicht über die Firmware, die das Startmenü hat",
  '"{}" is saved, and its guest expects the disc it left':
    "„{1}“ ist gesichert, und ihr Gast erwartet das Medium, das er zurückließ",
  '"{}" is {}, so it can\'t be {}': "„{1}“ ist im Zustand „{2}“, darum geht das nicht: {3}",
  "A backup can't be kept there: {}": "Dort kann keine Sicherung liegen: {1}",
  "A new database can't be made at {}": "Eine neue Datenbank lässt sich dort nicht anlegen: {1}",
  "A part of the saved memory is missing: {}": "Ein Teil des gesicherten Speichers fehlt: {1}",
  "A running machine is given or relieved of one adapter at a time":
    "Eine laufende Maschine bekommt oder verliert Adapter nur einzeln",
  "A snapshot needs a name": "Ein Schnappschuss braucht einen Namen",
  "Access was denied: {}": "Zugriff verweigert: {1}",
  "Adapters can't be added, removed or exchanged while the machine is {}":
    "Adapter lassen sich jetzt nicht hinzufügen, entfernen oder tauschen; die Maschine ist: {1}",
  "It exists already: {}": "Das gibt es schon: {1}",
  "It is a folder, not a file: {}": "Das ist ein Ordner, keine Datei: {1}",
  "It is not a regular expression: {}": "Das ist kein regulärer Ausdruck: {1}",
  "It is not a regular file: {}": "Das ist keine gewöhnliche Datei: {1}",
  "Starter Linux is not built: {} is missing": "Starter Linux ist nicht gebaut: {1} fehlt",
  "Terrarium already runs on {}{}": "Terrarium läuft schon mit {1}{2}",
  "The VM process ended unexpectedly ({}): {}": "Der Prozess der Maschine endete unerwartet ({1}): {2}",
  "The VM process ended unexpectedly ({})": "Der Prozess der Maschine endete unerwartet ({1})",
  "The VM process ended ({}) during {}{}": "Der Prozess der Maschine endete ({1}) während: {2}{3}",
  "The VM process speaks protocol {}, this app {}": "Der Prozess der Maschine spricht Protokoll {1}, diese App {2}",
  'The catalogue has no "{}"': "Der Katalog hat kein „{1}“",
  "The catalogue of operating systems can't be used: {}":
    "Der Katalog der Betriebssysteme ist nicht zu gebrauchen: {1}",
  "The database can't be opened: {}": "Die Datenbank lässt sich nicht öffnen: {1}",
  "The database was written by another version of Terrarium: {}":
    "Die Datenbank stammt von einer anderen Version von Terrarium: {1}",
  "The disc can't be changed while the machine is {}":
    "Das Medium lässt sich jetzt nicht wechseln; die Maschine ist: {1}",
  "The disk has {} MiB; it can only become larger": "Die Platte hat {1} MiB; sie kann nur größer werden",
  "The disk has {} bytes already; it can only become larger":
    "Die Platte hat schon {1} Bytes; sie kann nur größer werden",
  "The disk is full: {}": "Die Platte ist voll: {1}",
  "The disk is read-only: {}": "Die Platte ist schreibgeschützt: {1}",
  "The disk quota is used up: {}": "Das Plattenkontingent ist aufgebraucht: {1}",
  "The engine has no power button": "Die Engine hat keinen Einschaltknopf",
  "The engine's answer to {} is not valid": "Die Antwort der Engine auf {1} ist ungültig",
  "A disc takes {} files with {} MiB": "Auf ein Medium passen {1} Dateien mit {2} MiB",
  "The files did not arrive, or were forgotten": "Die Dateien sind nicht angekommen oder wurden vergessen",
  "The file system is damaged or not understood: {}": "Das Dateisystem ist beschädigt oder unverständlich: {1}",
  "The file system reported {}: {}": "Das Dateisystem meldete {1}: {2}",
  "The file would be too large: {}": "Die Datei würde zu groß: {1}",
  "The firmware that boots disks and discs is not here": "Die Firmware, die Platten und Medien startet, fehlt",
  "The firmware was changed since it was fetched: {}": "Die Firmware wurde seit dem Holen verändert: {1}",
  "The guest keeps using {}": "Der Gast benutzt weiter: {1}",
  "The image can't be read: {}": "Das Abbild lässt sich nicht lesen: {1}",
  "The initial RAM disk is empty: {}": "Die initiale RAM-Disk ist leer: {1}",
  "The installer's kernel is not where it is expected on the disc: {}":
    "Der Kernel des Installationsprogramms ist nicht dort, wo er auf dem Medium erwartet wird: {1}",
  "The lock of the data folder can't be taken: {}": "Die Sperre des Datenordners ist nicht zu bekommen: {1}",
  "The machine ended before its output matched {}": "Die Maschine endete, bevor ihre Ausgabe passte: {1}",
  "The machine has no optical drive": "Die Maschine hat kein optisches Laufwerk",
  'What is on {} is newer than the memory of "{}"': "Was auf {1} ist, ist neuer als der Arbeitsspeicher von „{2}“",
  "There is no snapshot {} in the trash": "Im Papierkorb ist kein Schnappschuss {1}",
  "There is no disk image {}: {}": "Es gibt dieses Plattenabbild nicht: {2}",
  "The machine {} is not in the trash": "Die Maschine {1} ist nicht im Papierkorb",
  "The machine's record is damaged ({}{}): {}": "Die Beschreibung der Maschine ist beschädigt ({1}{2}): {3}",
  "The name is too long": "Der Name ist zu lang",
  "The network process did not answer after its start": "Der Netzwerkprozess antwortete nach dem Start nicht",
  "The network process ended: {}": "Der Netzwerkprozess endete: {1}",
  "The operation is not permitted: {}": "Die Aktion ist nicht erlaubt: {1}",
  "The path has to be absolute: {}": "Der Pfad muss absolut sein: {1}",
  "The preferences are too large": "Die Einstellungen sind zu groß",
  "The publisher can't be reached: {} ({})": "Der Herausgeber ist nicht erreichbar: {1} ({2})",
  "The publisher has no such file any more": "Der Herausgeber hat diese Datei nicht mehr",
  "The publisher's server refused it ({}): {}": "Der Server des Herausgebers lehnte ab ({1}): {2}",
  "The request {} is not valid: {}": "Die Anfrage {1} ist ungültig: {2}",
  "The serial output did not match {} within {} s": "Die serielle Ausgabe passte nicht auf {1} binnen {2} s",
  'The snapshot "{}" has no disk {}': "Der Schnappschuss „{1}“ hat keine Platte {2}",
  "The {} port {} of {} can't be opened: {}": "Der {1}-Port {2} von {3} lässt sich nicht öffnen: {4}",
  "There is a file of that name: {}": "Eine Datei dieses Namens gibt es schon: {1}",
  'There is already a machine called "{}"': "Eine Maschine namens „{1}“ gibt es schon",
  'There is no "{}" in the trash': "Im Papierkorb ist kein „{1}“",
  "There is no backup {} in {}": "Es gibt keine Sicherung {1} in {2}",
  'There is no download "{}"': "Es gibt keinen Download „{1}“",
  "There is no drive {}": "Es gibt kein Laufwerk {1}",
  'There is no engine "{}" in this build': "Diese Version hat keine Engine „{1}“",
  "There is no file {}": "Es gibt keine Datei {1}",
  'There is no file {} in "{}"': "In „{2}“ gibt es keine Datei {1}",
  'There is no folder {} in "{}"': "In „{2}“ gibt es keinen Ordner {1}",
  "There is no machine in {}": "In {1} ist keine Maschine",
  "There is no machine {}": "Es gibt keine Maschine {1}",
  "There is no machine.json in {}": "In {1} ist keine machine.json",
  'There is no picture of "{}" yet': "Von „{1}“ gibt es noch kein Bild",
  "There is no room for {}": "Für {1} ist kein Platz",
  'There is no setting "{}"': "Es gibt keine Einstellung „{1}“",
  "There is no snapshot {}": "Es gibt keinen Schnappschuss {1}",
  "There is no such file of Starter Linux: {}": "Starter Linux hat keine solche Datei: {1}",
  "There is no such file: {}": "Eine solche Datei gibt es nicht: {1}",
  "There is no such folder: {}": "Einen solchen Ordner gibt es nicht: {1}",
  "There is no task {}": "Es gibt keine Aufgabe {1}",
  "This disc's installer is not known to take answers: {}":
    "Von diesem Installationsmedium ist nicht bekannt, dass es Antworten annimmt: {1}",
  "This image belongs to a machine of Terrarium: {}": "Dieses Abbild gehört einer Maschine von Terrarium: {1}",
  "Two disks have the id {}": "Zwei Platten haben die Kennung {1}",
  "UEFI firmware is not here": "Die UEFI-Firmware fehlt",
  "What boots from the network is not here": "Was vom Netz startet, fehlt",
  "Waiting for output was cancelled": "Das Warten auf Ausgabe wurde abgebrochen",
  "What was downloaded is not what was published: {}":
    "Was heruntergeladen wurde, ist nicht, was veröffentlicht wurde: {1}",
  "a disk can't have {} bytes": "eine Platte kann nicht {1} Bytes haben",
  "a snapshot needs one new layer for each writable disk":
    "ein Schnappschuss braucht für jede beschreibbare Platte eine neue Schicht",
  "slot {} is not free": "Steckplatz {1} ist nicht frei",
  "the data socket {} can't be opened: {}": "der Datensocket {1} lässt sich nicht öffnen: {2}",
  "the image has no layer below it to merge": "unter dem Abbild ist keine Schicht zum Zusammenführen",
  "the layer below is smaller than the one to merge into it":
    "die untere Schicht ist kleiner als die, die in sie übergehen soll",
  "the machine can't be {}: it is {}": "mit der Maschine geht das nicht ({1}): sie ist {2}",
  "the machine has no optical drive {}": "die Maschine hat kein optisches Laufwerk {1}",
  "the operation was cancelled": "die Aktion wurde abgebrochen",
  "the state was saved with another configuration: {} was {}, not {}":
    "der Zustand wurde mit einer anderen Konfiguration gesichert: {1} war {2}, nicht {3}",
  "there is a disk {} already": "eine Platte {1} gibt es schon",
  "there is no adapter {}": "es gibt keinen Adapter {1}",
  "there is no disk {}": "es gibt keine Platte {1}",
  "there is no writable disk {}": "es gibt keine beschreibbare Platte {1}",
  "{} can't be taken out while the machine runs": "{1} lässt sich nicht entfernen, während die Maschine läuft",
  "{} can't be used: {}": "{1} ist nicht zu gebrauchen: {2}",
  "{} can't grow that far where it is": "{1} kann dort nicht so groß werden",
  "{} has grown to the limit of its cluster size": "{1} ist an der Grenze seiner Clustergröße",
  "{} has version {}, this program knows {}": "{1} hat Version {2}, dieses Programm kennt {3}",
  "{} is a {} image": "{1} ist ein {2}-Abbild",
  "{} is damaged": "{1} ist beschädigt",
  "{} is damaged: memory chunk at {} can't be read": "{1} ist beschädigt: das Stück Speicher bei {2} ist nicht lesbar",
  "{} is damaged: {}: {}": "{1} ist beschädigt: {2}: {3}",
  "{} is encrypted": "{1} ist verschlüsselt",
  "{} is encrypted with another key than its machine's":
    "{1} ist mit einem anderen Schlüssel verschlüsselt als seine Maschine",
  "{} is in use by process {}": "{1} wird von Prozess {2} benutzt",
  "{} is not a Linux kernel that can be started: {}": "{1} ist kein startbarer Linux-Kernel: {2}",
  "{} is not a backup folder that this version knows": "{1} ist kein Sicherungsordner, den diese Version kennt",
  "{} is not a machine exported by Terrarium, or it is cut off":
    "{1} ist keine von Terrarium exportierte Maschine oder abgeschnitten",
  "{} is not a regular file": "{1} ist keine gewöhnliche Datei",
  "{} is not a usable disk image: {} {}": "{1} ist kein brauchbares Plattenabbild: {2} {3}",
  "{} is not an absolute path": "{1} ist kein absoluter Pfad",
  "{} is not a file": "{1} ist keine Datei",
  "{} is too small for a disc": "{1} ist zu klein für ein Medium",
  "{} is not the layer below the top of {}": "{1} ist nicht die Schicht unter der obersten von {2}",
  "{} is {}, not a raw or qcow2 disk image": "{1} ist {2}, kein rohes oder qcow2-Plattenabbild",
  "{} names a backing file outside of its own folder: {}": "{1} nennt ein Grundabbild außerhalb seines Ordners: {2}",
  "{} was cancelled": "{1} wurde abgebrochen",
};

/** What that means. */
const consequences: FailureTexts = {
  "What stands on it can't be used as it was.": "Was darauf aufbaut, ist so nicht mehr benutzbar.",
  "It is repaired while the machine is off or saved.": "Repariert wird, während die Maschine aus oder gespeichert ist.",
  "Nothing that this computer knows of holds the same disk.":
    "Nichts, was dieser Rechner kennt, enthält dieselbe Platte.",
  "{} pages of its memory are nowhere else.": "{1} Seiten ihres Speichers gibt es nirgends sonst.",
  "It can't be read from outside of the guest.": "Das lässt sich von außerhalb des Gastes nicht lesen.",
  "The backup was not deleted.": "Die Sicherung wurde nicht gelöscht.",
  "Nothing was written.": "Es wurde nichts geschrieben.",
  "A second one would damage the machines, so it does not start.":
    "Ein zweites würde die Maschinen beschädigen, darum startet es nicht.",
  "Backups that hold it can't be restored.": "Sicherungen, die es enthalten, lassen sich nicht wiederherstellen.",
  "It can't be brought back.": "Es lässt sich nicht zurückholen.",
  "It was deleted: its checksum is {}…, not {}….": "Es wurde gelöscht: Die Prüfsumme ist {1}…, nicht {2}….",
  "It was not opened: two writers would destroy the disk.":
    "Es wurde nicht geöffnet: Zwei Schreibende würden die Platte zerstören.",
  "Its files can't be shown.": "Seine Dateien lassen sich nicht zeigen.",
  "No backup was made.": "Es wurde nicht gesichert.",
  "No image was made.": "Es wurde kein Abbild gemacht.",
  "No snapshot was taken.": "Es wurde kein Schnappschuss aufgenommen.",
  "No systems are recognized or offered.": "Systeme werden weder erkannt noch angeboten.",
  "Nothing is captured.": "Nichts wird mitgeschnitten.",
  "Nothing more was downloaded: {} are missing, {} are free.":
    "Es wurde nicht weiter heruntergeladen: Es fehlen {1}, frei sind {2}.",
  "Nothing was backed up or restored.": "Nichts wurde gesichert oder wiederhergestellt.",
  "Nothing was changed.": "Nichts wurde geändert.",
  "Nothing was deleted.": "Nichts wurde gelöscht.",
  "Nothing was done.": "Nichts ist geschehen.",
  "Nothing was downloaded.": "Nichts wurde heruntergeladen.",
  "Nothing was exported.": "Nichts wurde exportiert.",
  "Nothing was imported.": "Nichts wurde importiert.",
  "Nothing was made or changed.": "Nichts wurde angelegt oder geändert.",
  "Nothing was made.": "Nichts wurde angelegt.",
  "Nothing was merged.": "Nichts wurde zusammengeführt.",
  "Nothing was printed yet.": "Noch wurde nichts ausgegeben.",
  "Nothing was restored.": "Nichts wurde wiederhergestellt.",
  "States that use it can't be restored.": "Zustände, die es benutzen, lassen sich nicht wiederherstellen.",
  "Terrarium can't keep its data there.": "Terrarium kann seine Daten dort nicht ablegen.",
  "Terrarium does not start.": "Terrarium startet nicht.",
  "Terrarium does not start; your machines are untouched.":
    "Terrarium startet nicht; Ihre Maschinen bleiben, wie sie sind.",
  "The backup was not made.": "Die Sicherung wurde nicht gemacht.",
  "The backup was not made; what was stored so far is used by the next one.":
    "Die Sicherung wurde nicht gemacht; das bisher Gespeicherte nutzt die nächste.",
  "The change was not made; everything is as it was before.": "Nichts wurde geändert; alles ist, wie es war.",
  "The copy was not made.": "Die Kopie wurde nicht gemacht.",
  "The disc was not inserted.": "Das Medium wurde nicht eingelegt.",
  "The disk is as it was.": "Die Platte ist, wie sie war.",
  "The disk stays as it is.": "Die Platte bleibt, wie sie ist.",
  "The disk takes no more writes, so that the damage doesn't spread.":
    "Die Platte nimmt nichts mehr an, damit sich der Schaden nicht ausbreitet.",
  "The download stopped; what has arrived is kept.": "Der Download hielt an; was ankam, bleibt erhalten.",
  "The folder can't be shown.": "Der Ordner lässt sich nicht zeigen.",
  "The guest system crashed.": "Das Gastsystem ist abgestürzt.",
  "The image was not opened and nothing was changed.": "Das Abbild wurde nicht geöffnet, und nichts wurde geändert.",
  "The image was not opened, because an image from elsewhere could name any file of yours.":
    "Das Abbild wurde nicht geöffnet, denn ein fremdes könnte jede Ihrer Dateien nennen.",
  "The last lines were:\n{}": "Die letzten Zeilen waren:\n{1}",
  "The machine can't be started.": "Die Maschine lässt sich nicht starten.",
  "The machine can't be used as the record describes it; its disks are untouched.":
    "So beschrieben ist die Maschine nicht zu gebrauchen; ihre Platten bleiben unberührt.",
  "The machine is not running; its disks and snapshots are kept.":
    "Die Maschine läuft nicht; Platten und Schnappschüsse bleiben.",
  "The machine stays as it was.": "Die Maschine bleibt, wie sie war.",
  "Nothing was changed. A guest that goes on would destroy a file system that it had mounted on a disk that has changed since.":
    "Nichts wurde geändert. Ein Gast, der weitermacht, würde ein Dateisystem zerstören, das er auf einer seither geänderten Platte eingehängt hatte.",
  "Nothing was brought back.": "Nichts wurde zurückgeholt.",
  "The machine stays in the trash.": "Die Maschine bleibt im Papierkorb.",
  "The machine was not created.": "Die Maschine wurde nicht angelegt.",
  "The machine was not removed.": "Die Maschine wurde nicht entfernt.",
  "The machine was not started.": "Die Maschine wurde nicht gestartet.",
  "The machine was stopped.": "Die Maschine wurde angehalten.",
  'The snapshot "{}" can\'t be restored; the machine is as it was.':
    "Der Schnappschuss „{1}“ lässt sich nicht wiederherstellen; die Maschine ist, wie sie war.",
  "The state can't be restored.": "Der Zustand lässt sich nicht wiederherstellen.",
  "The state can't be restored; the machine was not changed.":
    "Der Zustand lässt sich nicht wiederherstellen; die Maschine wurde nicht geändert.",
  "The state was not saved and nothing was left behind; the machine runs on.":
    "Der Zustand wurde nicht gesichert, nichts blieb zurück; die Maschine läuft weiter.",
  "This backup can't be restored.": "Diese Sicherung lässt sich nicht wiederherstellen.",
  "This port is not forwarded; everything else works.":
    "Dieser Port wird nicht weitergeleitet; alles andere funktioniert.",
  "What the guest had not written to its disks is lost, as after a power failure.":
    "Was der Gast noch nicht auf seine Platten geschrieben hatte, ist verloren wie nach einem Stromausfall.",
  "What the guest had not written to its disks is lost, as after a power failure. Disks and snapshots are kept.":
    "Was der Gast noch nicht auf seine Platten geschrieben hatte, ist verloren wie nach einem Stromausfall. Platten und Schnappschüsse bleiben.",
};

/** What to do. */
const remedies: FailureTexts = {
  "Choose a folder.": "Wählen Sie einen Ordner.",
  "Share a folder beside it or below it that has none of that data.":
    "Geben Sie einen Ordner daneben oder darin frei, der nichts davon enthält.",
  "List the folders that it shares.": "Lassen Sie sich die gemeinsamen Ordner zeigen.",
  "Check the path, and whether the folder is still there.":
    "Prüfen Sie den Pfad, und ob es den gemeinsamen Ordner noch gibt.",
  'Restore it without memory (--memory never): "{}" then starts anew, as after a power failure. Or with it (--memory always), if nothing on the disk was in use at that time.':
    "Gehen Sie ohne Arbeitsspeicher zurück (--memory never): „{1}“ startet dann neu, wie nach einem Stromausfall. Oder mit ihm (--memory always), wenn damals nichts auf der Platte in Gebrauch war.",
  "Look at the trash: the time to undo may have passed.":
    "Sehen Sie im Papierkorb nach: Die Zeit zum Zurücknehmen kann vorbei sein.",
  "Look at the list of disk images.": "Sehen Sie in der Liste der Abbilder nach.",
  "Restore the snapshot in a clone and copy the file there.":
    "Stellen Sie den Schnappschuss in einem Klon wieder her und kopieren Sie die Datei dort.",
  "Give another size.": "Geben Sie eine andere Größe an.",
  "Shrink or move the last partition in the guest first, or give a larger size.":
    "Verkleinern oder verschieben Sie zuerst im Gast die letzte Partition, oder geben Sie eine größere Größe an.",
  "Shrink the file system in the guest first, or give a larger size.":
    "Verkleinern Sie zuerst im Gast das Dateisystem, oder geben Sie eine größere Größe an.",
  "Overwrite the end of the disk with zeroes in the guest first, or give a larger size.":
    "Überschreiben Sie zuerst im Gast das Ende der Platte mit Nullen, oder geben Sie eine größere Größe an.",
  "Make it again.": "Legen Sie sie noch einmal an.",
  "Connect the disk that it is on, or choose another folder in the settings of the machine.":
    "Schließen Sie den Datenträger an, auf dem er liegt, oder wählen Sie in den Einstellungen der Maschine einen anderen Ordner.",
  "Unlock it with its passphrase first.": "Entsperren Sie sie zuerst mit ihrer Passphrase.",
  "Enter it again. Without it nobody can read the machine's disks and states.":
    "Geben Sie sie noch einmal ein. Ohne sie kann niemand die Platten und Zustände der Maschine lesen.",
  "Copy or download it again.": "Kopieren Sie es noch einmal oder laden Sie es noch einmal herunter.",
  "Export it as a .terrarium file, or make it boot from its disk first.":
    "Exportieren Sie sie als .terrarium-Datei, oder lassen Sie sie zuerst von ihrer Platte starten.",
  "Bring the file back.": "Bringen Sie die Datei zurück.",
  "Choose the file with the machine's settings: .ova, .ovf, .vbox or .vmx.":
    "Wählen Sie die Datei mit den Einstellungen der Maschine: .ova, .ovf, .vbox oder .vmx.",
  "Add a drive in the storage settings while the machine is off.":
    "Fügen Sie bei ausgeschalteter Maschine in den Speichereinstellungen ein Laufwerk hinzu.",
  "At most 128 characters.": "Höchstens 128 Zeichen.",
  "Bring back the machine.json that belongs to this image.": "Bringen Sie die machine.json zu diesem Abbild zurück.",
  "Bring the file back from a backup, or restore another snapshot.":
    "Holen Sie die Datei aus einer Sicherung oder stellen Sie einen anderen Schnappschuss her.",
  "Bring the file back to its place, or copy another snapshot.":
    "Bringen Sie die Datei an ihren Platz zurück oder kopieren Sie einen anderen Schnappschuss.",
  "Bring the file back to its place, or take the disk out of the machine.":
    "Bringen Sie die Datei an ihren Platz zurück oder nehmen Sie die Platte aus der Maschine.",
  "Bring the file back to its place.": "Bringen Sie die Datei an ihren Platz zurück.",
  "Cancel the download first.": "Brechen Sie zuerst den Download ab.",
  "Change one after the other, or shut the machine down first.":
    "Ändern Sie eins nach dem anderen oder fahren Sie die Maschine zuerst herunter.",
  "Change the permissions of the file.": "Ändern Sie die Rechte der Datei.",
  "Change the permissions.": "Ändern Sie die Rechte.",
  "Check that the folder is writable and on a local disk.":
    "Prüfen Sie, ob der Ordner beschreibbar und auf einer lokalen Platte ist.",
  "Check the disk and try again.": "Prüfen Sie die Platte und versuchen Sie es noch einmal.",
  "Check the path.": "Prüfen Sie den Pfad.",
  "Choose a bzImage, such as /boot/vmlinuz of a Linux system.":
    "Wählen Sie ein bzImage, etwa /boot/vmlinuz eines Linux-Systems.",
  "Choose a file.": "Wählen Sie eine Datei.",
  "Choose a folder on a writable disk.": "Wählen Sie einen Ordner auf einer beschreibbaren Platte.",
  "Choose a folder that was made by a backup.": "Wählen Sie einen Ordner, den eine Sicherung angelegt hat.",
  "Choose a multiple of 512 bytes up to 64 TiB.": "Wählen Sie ein Vielfaches von 512 Bytes bis 64 TiB.",
  "Choose a raw or qcow2 image that is whole and readable, or give a size for a new one.":
    "Wählen Sie ein ganzes, lesbares rohes oder qcow2-Abbild oder nennen Sie die Größe für ein neues.",
  "Choose a readable ISO image.": "Wählen Sie ein lesbares ISO-Abbild.",
  "Choose an ISO image, or eject the disc.": "Wählen Sie ein ISO-Abbild oder werfen Sie das Medium aus.",
  "Choose an image that is whole and readable.": "Wählen Sie ein ganzes und lesbares Abbild.",
  "Choose another file, or none.": "Wählen Sie eine andere Datei oder keine.",
  "Choose another folder, or use the newer version of Terrarium.":
    "Wählen Sie einen anderen Ordner oder benutzen Sie das neuere Terrarium.",
  "Choose another image.": "Wählen Sie ein anderes Abbild.",
  "Choose another name.": "Wählen Sie einen anderen Namen.",
  "Choose one of: {}.": "Wählen Sie eines von: {1}.",
  "Connect to the internet and try again, or choose a file that you have already.":
    "Verbinden Sie sich mit dem Internet und versuchen Sie es noch einmal, oder wählen Sie eine Datei, die Sie schon haben.",
  "Convert it to larger clusters with `qemu-img convert -O qcow2`.":
    "Wandeln Sie es mit `qemu-img convert -O qcow2` in größere Cluster um.",
  "Convert it with `qemu-img convert -O qcow2`, or make a new disk.":
    "Wandeln Sie es mit `qemu-img convert -O qcow2` um oder legen Sie eine neue Platte an.",
  "Convert or unpack it first, for instance with `qemu-img convert -O qcow2`.":
    "Wandeln Sie es zuerst um oder packen Sie es aus, etwa mit `qemu-img convert -O qcow2`.",
  "Correct the named value.": "Berichtigen Sie den genannten Wert.",
  "Correct the value of this setting.": "Berichtigen Sie den Wert dieser Einstellung.",
  "Delete this file and make a new backup while the machine still has these contents.":
    "Löschen Sie diese Datei und sichern Sie neu, solange die Maschine diesen Inhalt noch hat.",
  "Delete {} and run `npm start`: it fetches the firmware again.":
    "Löschen Sie {1} und starten Sie mit `npm start`: Das holt die Firmware neu.",
  "Enter a name, or leave it out to get one.": "Geben Sie einen Namen ein oder lassen Sie ihn weg.",
  "Enter a name.": "Geben Sie einen Namen ein.",
  "Escape special characters with a backslash.": "Schreiben Sie vor Sonderzeichen einen umgekehrten Schrägstrich.",
  "Export the machine again, or copy the file again.":
    "Exportieren Sie die Maschine noch einmal oder kopieren Sie die Datei neu.",
  "Look at its settings and try again.": "Sehen Sie sich ihre Einstellungen an und versuchen Sie es noch einmal.",
  "Free some space and try again.": "Schaffen Sie Platz und versuchen Sie es noch einmal.",
  "Free some space on that disk and try again.":
    "Schaffen Sie Platz auf dieser Platte und versuchen Sie es noch einmal.",
  "Free some space on that disk and try again; the download continues where it stopped.":
    "Schaffen Sie Platz auf dieser Platte und versuchen Sie es noch einmal; der Download geht weiter, wo er anhielt.",
  "Get the disc from the publisher's page and choose the file by hand.":
    "Holen Sie das Medium von der Seite des Herausgebers und wählen Sie die Datei von Hand.",
  "Give a larger size.": "Geben Sie eine größere Größe an.",
  "Give each its own.": "Geben Sie jeder eine eigene.",
  "Give the path as the guest knows it within that file system.":
    "Geben Sie den Pfad so an, wie der Gast ihn in diesem Dateisystem kennt.",
  "Give the path within its file system, and the disk and partition if there are several.":
    "Geben Sie den Pfad im Dateisystem an, bei mehreren auch Platte und Partition.",
  "Give the path within its file system.": "Geben Sie den Pfad im Dateisystem an.",
  "Give the whole path of a folder outside of Terrarium's data folder, best on another disk.":
    "Geben Sie den ganzen Pfad eines Ordners außerhalb von Terrariums Datenordner an, am besten auf einer anderen Platte.",
  "Give the whole path of the file.": "Geben Sie den ganzen Pfad der Datei an.",
  "Install Terrarium again; its parts are of different versions.":
    "Installieren Sie Terrarium neu; seine Teile sind von verschiedenen Versionen.",
  "Leave it out, or check its spelling.": "Lassen Sie sie weg oder prüfen Sie die Schreibweise.",
  "Leave the answers out and install by hand, or choose a system of the catalogue that takes them.":
    "Lassen Sie die Antworten weg und installieren Sie von Hand, oder wählen Sie im Katalog ein System, das sie annimmt.",
  "List the backups of this folder.": "Sehen Sie die Sicherungen dieses Ordners durch.",
  "Look at the list of downloads; it may be gone already.":
    "Sehen Sie in die Liste der Downloads; vielleicht ist er schon weg.",
  "Look at the list of machines.": "Sehen Sie in die Liste der Maschinen.",
  "Look at the list of what is there; it may have been brought back or deleted meanwhile.":
    "Sehen Sie in die Liste; vielleicht wurde es inzwischen zurückgeholt oder gelöscht.",
  "Look at the machine's disks.": "Sehen Sie sich die Platten der Maschine an.",
  "Look at the machine's log and serial output.": "Sehen Sie in das Protokoll und die serielle Ausgabe der Maschine.",
  "Look at the machine's snapshots.": "Sehen Sie sich die Schnappschüsse der Maschine an.",
  "Make a linked clone of it, or turn the template into a machine again.":
    "Klonen Sie sie verknüpft, oder machen Sie aus der Vorlage wieder eine Maschine.",
  "Make the file and its folder readable and writable for you.":
    "Machen Sie die Datei und ihren Ordner für sich les- und schreibbar.",
  "Mend or remove the named file.": "Berichtigen oder entfernen Sie die genannte Datei.",
  "Only virtio disks and network adapters can; shut the machine down for others.":
    "Das können nur virtio-Platten und Netzwerkadapter; fahren Sie die Maschine für andere herunter.",
  "Open it with the newer version of Terrarium that made it.":
    "Öffnen Sie es mit dem neueren Terrarium, von dem es stammt.",
  "Open it with the version of Terrarium that made it.": "Öffnen Sie es mit dem Terrarium, von dem es stammt.",
  "Power the machine off and start it again.": "Schalten Sie die Maschine aus und wieder ein.",
  "Power the machine off instead.": "Schalten Sie die Maschine stattdessen aus.",
  "Put the backing file beside the image, or make a stand-alone image with `qemu-img convert -O qcow2`.":
    "Legen Sie das Grundabbild neben das Abbild, oder machen Sie mit `qemu-img convert -O qcow2` ein eigenständiges.",
  "Record it with `qemu-img rebase -u -F qcow2 -b '{}' ...`, or convert the image to a stand-alone one.":
    "Tragen Sie es mit `qemu-img rebase -u -F qcow2 -b '{1}' ...` ein oder machen Sie das Abbild eigenständig.",
  "Repair it with `terrarium verify NAME --repair`, or use it read-only.":
    "Reparieren Sie es mit `terrarium verify NAME --repair` oder benutzen Sie es nur lesend.",
  "Restore a snapshot, or repair the machine with `terrarium verify NAME --repair`.":
    "Stellen Sie einen Schnappschuss her oder reparieren Sie die Maschine mit `terrarium verify NAME --repair`.",
  "Restore another snapshot, or a backup.": "Stellen Sie einen anderen Schnappschuss oder eine Sicherung her.",
  "Restore another snapshot, or start the machine afresh.":
    "Stellen Sie einen anderen Schnappschuss her oder starten Sie die Maschine neu.",
  "Restore its folder from a backup.": "Stellen Sie den Ordner aus einer Sicherung her.",
  "Restore machine.json from a backup, or mend the named field.":
    "Stellen Sie machine.json aus einer Sicherung her oder berichtigen Sie das genannte Feld.",
  "Run `npm start` once: it builds Starter Linux.": "Starten Sie einmal mit `npm start`: Das baut Starter Linux.",
  "Run `npm start` once: it fetches iPXE. Or install your system's package ipxe-qemu, or take the network out of the boot order.":
    "Starten Sie einmal mit `npm start`: Das holt iPXE. Oder installieren Sie das Paket ipxe-qemu Ihres Systems, oder nehmen Sie das Netz aus der Startreihenfolge.",
  "Run `npm start` once: it fetches OVMF. Or install your system's package ovmf, or choose BIOS.":
    "Starten Sie einmal mit `npm start`: Das holt OVMF. Oder installieren Sie das Paket ovmf Ihres Systems, oder wählen Sie BIOS.",
  "Run `npm start` once: it fetches SeaBIOS. Or install your system's package seabios.":
    "Starten Sie einmal mit `npm start`: Das holt SeaBIOS. Oder installieren Sie das Paket seabios Ihres Systems.",
  "Send them again.": "Senden Sie sie noch einmal.",
  "Pack many files into an archive, or share a folder.":
    "Packen Sie viele in ein Archiv, oder teilen Sie einen Ordner.",
  "Set it back to what it was, or discard the saved state.":
    "Stellen Sie es zurück, oder verwerfen Sie den gesicherten Zustand.",
  "Set its format to {}.": "Stellen Sie sein Format auf {1}.",
  "Shut the machine down first.": "Fahren Sie die Maschine zuerst herunter.",
  "Start it and shut it down, or discard the saved state.":
    "Starten Sie sie und fahren Sie sie herunter, oder verwerfen Sie den gesicherten Zustand.",
  "Start it first.": "Starten Sie sie zuerst.",
  "Start the machine again, or restore a snapshot.":
    "Starten Sie die Maschine noch einmal oder stellen Sie einen Schnappschuss her.",
  "Start the machine again. If it happens again, look into its log.":
    "Starten Sie die Maschine noch einmal. Geschieht es wieder, sehen Sie in ihr Protokoll.",
  "Start the machine and let the guest check it.": "Starten Sie die Maschine und lassen Sie den Gast es prüfen.",
  "Start the machine first.": "Starten Sie zuerst die Maschine.",
  "Start the machine, then change the disc.": "Starten Sie die Maschine und wechseln Sie dann das Medium.",
  "Stop the machine or program that uses it.": "Halten Sie die Maschine oder das Programm an, das es benutzt.",
  "Store less; preferences are for choices, not for data.":
    "Speichern Sie weniger; hier ist Platz für Entscheidungen, nicht für Daten.",
  "Take the adapter out of use in the guest, or shut the machine down first.":
    "Nehmen Sie den Adapter im Gast außer Betrieb oder fahren Sie die Maschine zuerst herunter.",
  "Take the disc out of the drive first.": "Nehmen Sie zuerst das Medium aus dem Laufwerk.",
  "The machine has to be {} first.": "Die Maschine muss zuerst in einem dieser Zustände sein: {1}.",
  "This is a defect of Terrarium; please report it with the host's log.":
    "Das ist ein Fehler von Terrarium; bitte melden Sie ihn mit dem Protokoll des Rechners.",
  "This is a defect of Terrarium; please report it.": "Das ist ein Fehler von Terrarium; bitte melden Sie ihn.",
  "Try again; if it happens again, get the file from the publisher's page in another way.":
    "Versuchen Sie es noch einmal; geschieht es wieder, holen Sie die Datei auf anderem Weg von der Seite des Herausgebers.",
  "Try later, or get the disc from the publisher's page and choose the file by hand.":
    "Versuchen Sie es später, oder holen Sie das Medium von der Seite des Herausgebers und wählen Sie die Datei von Hand.",
  "Unlock the machine with its passphrase first.": "Entsperren Sie die Maschine zuerst mit ihrer Passphrase.",
  "Use a disk that allows larger files.": "Benutzen Sie eine Platte, die größere Dateien erlaubt.",
  "Use another backup.": "Benutzen Sie eine andere Sicherung.",
  "Use the newer version again, or move {} away: the list is then rebuilt from the machine folders.":
    "Benutzen Sie wieder die neuere Version, oder räumen Sie {1} weg: Die Liste wird dann aus den Ordnern der Maschinen neu gebaut.",
  "Use the one that runs, end it with `terrarium host stop`, or choose another folder with --home.":
    "Benutzen Sie das laufende, beenden Sie es mit `terrarium host stop`, oder wählen Sie mit --home einen anderen Ordner.",
  "Wait longer, or look at the console.": "Warten Sie länger oder sehen Sie auf die Konsole.",
  "Wait until it ends.": "Warten Sie, bis sie endet.",
  "`terrarium catalogue list` shows what there is.": "`terrarium catalogue list` zeigt, was es gibt.",
};

export const deFailures: FailureTexts = { ...messages, ...consequences, ...remedies };
