package reader

// pinSeparator is empty: names with a NUL are refused here, and there is no
// map to keep names apart in.
const pinSeparator = ""
