package tags

const processor = "amd64"
