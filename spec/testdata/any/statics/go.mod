module example.com/statics

go 1.21

require example.com/registry v1.0.0
