package lib

var Name = "lib"
