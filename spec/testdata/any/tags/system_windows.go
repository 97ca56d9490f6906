package tags

const system = "windows"
