package tags

const system = "linux"
