// What the configuration declares in English (native-core/config), in German: labels, explanations, and the messages of its rules.
import type { ConfigTexts } from "./catalogue.ts";

export const deConfig: ConfigTexts = {
  fields: {
    name: ["Name", "Steht in der Liste; unter Ihren Maschinen einmalig."],
    description: ["Beschreibung", "Notizen für Sie selbst."],
    osType: ["Betriebssystem", "Bestimmt das Symbol und sinnvolle Vorgaben."],
    group: ["Gruppe", "Wo die Maschine in der Liste steht. Schrägstriche machen Gruppen in Gruppen: Arbeit/Server."],
    memoryMiB: [
      "Speicher",
      "RAM, das der Gast sieht. Der Rechner gibt es Seite für Seite her, wie der Gast es berührt.",
    ],
    cpuCount: [
      "Prozessoren",
      "Virtuelle Prozessoren, die der Gast sieht. Sie teilen sich einen Thread des Rechners: Mehr davon machen den Gast nicht schneller.",
    ],
    cpuModel: [
      "Prozessormodell",
      "Was der Gast laut Auskunft benutzen darf: x86-64-v2 hat SSE4.2 und AES, x86-64-v3 dazu, was von AVX2 und Verwandtem da ist, max ist alles.",
    ],
    chipset: [
      "Chipsatz",
      "Die Hauptplatine: i440fx ist ein PC von 1996, den jedes System kennt, q35 einer von 2008 mit SATA und PCI-Express-Konfiguration.",
    ],
    engine: ["Engine", "Was den Gast ausführt. Die eingebaute läuft auf jedem Rechner ohne Installation und Rechte."],
    "clock.rtc": [
      "Hardwareuhr",
      "Was die Uhr der Maschine zeigt: UTC, wie Linux es will, oder die Ortszeit des Rechners wie bei Windows und DOS.",
    ],
    "boot.kernel": [
      "Kernel",
      "Ein Linux-Kernel (bzImage), der direkt gestartet wird; ohne einen startet die Maschine von ihren Platten und Medien.",
    ],
    "boot.initrd": ["Initiale RAM-Disk", "Wird neben den Kernel geladen; kann wegbleiben."],
    "boot.commandLine": ["Befehlszeile", "Parameter für den Kernel, etwa root=/dev/vda console=ttyS0."],
    "boot.firmware": [
      "Firmware",
      "Was das System auf einer Platte oder einem Medium startet: ein PC-BIOS oder UEFI mit eigenen Variablen der Maschine.",
    ],
    "boot.order": [
      "Startreihenfolge",
      "Wo die Firmware ein System sucht, das Liebste zuerst. Platten und Medien, die fehlen, kommen zuletzt; das Netz wird nur gefragt, wenn es dabei ist.",
    ],
    "boot.menuSeconds": [
      "Startmenü",
      "Wie lange die Firmware auf die Esc-Taste wartet, die das Startmenü öffnet; 0 wartet nicht.",
    ],
    "display.adapter": [
      "Adapter",
      "vga läuft mit jedem System; virtio ist schneller und folgt der Fenstergröße, wo das System seinen Treiber hat wie Linux.",
    ],
    "display.videoMemoryMiB": [
      "Grafikspeicher",
      "4, 8, 16, 32 oder 64 MiB; 16 MiB genügen für 2560x1600 in voller Farbe.",
    ],
    "sound.adapter": [
      "Klang",
      "hda ist der Klang von PCs seit 2005, für den Systeme einen Treiber haben; virtio ist für Linux mit virtio_snd. Er erklingt, wo der Bildschirm gezeigt wird.",
    ],
    "input.keyboard": [
      "Tastatur",
      "ps2 geht mit jedem System; virtio gibt Systemen eine weitere, die den Treiber dafür haben wie Linux, und ps2 bleibt für die Firmware.",
    ],
    "floppy.file": [
      "Diskette",
      "Das Abbild einer Diskette (360 KiB bis 2,88 MiB) in Laufwerk A:, schreibgeschützt; eine BIOS-Maschine startet zuerst davon.",
    ],
    "usb.controller": [
      "USB",
      "xhci bringt eine Tastatur und ein Tablett, das dem Zeiger folgt, ohne ihn zu fangen, und nimmt USB-Platten, während die Maschine läuft.",
    ],
    disks: [
      "Platten",
      "In der Reihenfolge, in der der Gast sie sieht: virtio-Platten sind in Linux vda, vdb, ..., IDE-Platten sda, sdb, ... Schnappschüsse lassen unabhängige aus.",
    ],
    opticalDrives: [
      "Optische Laufwerke",
      "Laufwerke für ISO-Abbilder. Medien wechseln jederzeit, Laufwerke nur, wenn die Maschine aus ist.",
    ],
    adapters: [
      "Netzwerkadapter",
      "Worin jeder steckt, Weiterleitungen, Firewallregeln und Grenzen ändern sich sofort; eine laufende Maschine kann Adapter bekommen und abgeben; Modell und Adresse ändern sich nur, wenn sie aus ist.",
    ],
    sharedFolders: [
      "Gemeinsame Ordner",
      "Ordner dieses Rechners, die der Gast einhängen darf (9P, Name shared), jeder darin unter seinem Namen. Sie ändern sich jederzeit; Schnappschüsse, exportierte Dateien und Sicherungen enthalten sie nicht.",
    ],
    serial: ["Serielle Anschlüsse", "ttyS0 und ttyS1 in einem Linux-Gast."],
    "snapshots.everyMinutes": ["Einen aufnehmen alle", "Während die Maschine läuft. 0 nimmt keinen auf."],
    "snapshots.beforeStart": ["Vor jedem Start", "Wenn sich seit dem letzten etwas geändert hat."],
    "snapshots.safety": [
      "Vor riskanten Änderungen",
      "Einstellungen der Hardware und das Zurückgehen lassen sich dann rückgängig machen. Die neuesten fünf werden behalten.",
    ],
    "snapshots.undoHours": [
      "Gelöschte zurückholen",
      "So lange belegen gelöschte Schnappschüsse und Abbilder ihren Platz, es sei denn, er wird gebraucht oder freigegeben. 0 löscht sofort.",
    ],
    "snapshots.namePattern": [
      "Namen",
      "Von Schnappschüssen ohne anderen Namen. {n} ist eine Nummer, {date} und {time} der Zeitpunkt, {machine} ihr Name.",
    ],
    "snapshots.keepLast": [
      "Die letzten behalten",
      "Von den nach Zeitplan aufgenommenen. Sind all diese 0, werden alle behalten.",
    ],
    "snapshots.keepHourly": ["Stündliche behalten", "Den letzten von so vielen Stunden."],
    "snapshots.keepDaily": ["Tägliche behalten", "Den letzten von so vielen Tagen."],
    "snapshots.keepWeekly": ["Wöchentliche behalten", "Den letzten von so vielen Wochen."],
    "snapshots.budgetMiB": [
      "Platz insgesamt",
      "Was nach Zeitplan aufgenommene zusammen belegen dürfen; die ältesten fallen zuerst weg. 0 ist keine Grenze.",
    ],
    "backup.folder": [
      "Ordner",
      "Am besten auf einem anderen Datenträger. Maschinen können ihn teilen: Was gleich ist, liegt nur einmal darin.",
    ],
    "backup.everyHours": ["Eine anlegen alle", "Während die Maschine läuft und nachdem sie lief. 0 legt keine an."],
    "backup.memory": [
      "Mit dem Arbeitsspeicher",
      "Eine wiederhergestellte Maschine macht dann weiter, wo die Sicherung angelegt wurde, und startet nicht neu.",
    ],
    "backup.keepLast": ["Die letzten behalten", "Von den nach Zeitplan angelegten Sicherungen. 0 behält alle."],
  },
  units: { minutes: "Minuten", hours: "Stunden", days: "Tage", weeks: "Wochen" },
  messages: [
    [/^at least (.+)$/, "mindestens $1"],
    [/^at most (\d+) characters$/, "höchstens $1 Zeichen"],
    [/^at most (\d+) disks$/, "höchstens $1 Platten"],
    [/^at most (\d+) drives$/, "höchstens $1 Laufwerke"],
    [/^at most (\d+) adapters$/, "höchstens $1 Adapter"],
    [/^at most (\d+) shared folders$/, "höchstens $1 gemeinsame Ordner"],
    [/^each folder has its own name$/, "jeder Ordner hat einen eigenen Namen"],
    [/^a folder is needed$/, "ein Ordner ist nötig"],
    [/^the whole path of a folder$/, "der ganze Pfad eines Ordners"],
    [
      /^letters, digits, spaces, dots, dashes and underscores, starting with a letter or digit$/,
      "Buchstaben, Ziffern, Leerzeichen, Punkte und Striche, vorn ein Buchstabe oder eine Ziffer",
    ],
    [/^at most (.+)$/, "höchstens $1"],
    [/^(\d+) to (.+)$/, "$1 bis $2"],
    [/^a name is needed$/, "ein Name ist nötig"],
    [/^a file is needed$/, "eine Datei ist nötig"],
    [/^no slashes or control characters$/, "keine Schrägstriche und Steuerzeichen"],
    [
      /^names separated by single slashes, at most (\d+)$/,
      "Namen, durch einzelne Schrägstriche getrennt, höchstens $1",
    ],
    [/^4, 8, 16, 32 or 64 MiB: a power of two$/, "4, 8, 16, 32 oder 64 MiB: eine Zweierpotenz"],
    [/^UEFI's variables belong to every snapshot$/, "die Variablen von UEFI gehören zu jedem Schnappschuss"],
    [/^each kind of device once$/, "jede Art von Gerät einmal"],
    [
      /^small letters, digits and dashes, starting with a letter$/,
      "Kleinbuchstaben, Ziffern und Striche, am Anfang ein Buchstabe",
    ],
    [
      /^small letters, digits, dashes and underscores, starting with a letter$/,
      "Kleinbuchstaben, Ziffern, Striche und Unterstriche, am Anfang ein Buchstabe",
    ],
    [/^another name than root$/, "ein anderer Name als root"],
    [/^no colons or control characters$/, "keine Doppelpunkte und Steuerzeichen"],
    [/^no control characters$/, "keine Steuerzeichen"],
    [/^a password is needed$/, "ein Kennwort ist nötig"],
    [
      /^letters, digits and dashes, not at the ends, at most (\d+)$/,
      "Buchstaben, Ziffern und Striche, diese nicht am Rand, höchstens $1",
    ],
    [/^such as (.+)$/, "etwa $1"],
    [/^a time zone such as (.+)$/, "eine Zeitzone wie $1"],
    [/^two or three small letters, such as (.+)$/, "zwei oder drei Kleinbuchstaben, etwa $1"],
  ],
};
