// Every text of the app in German.
export const de = {};
