package tags

const processor = "arm64"
