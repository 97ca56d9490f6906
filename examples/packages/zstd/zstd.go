// Package zstd packs and unpacks with klauspost/compress: its Huffman and sequence decoders are assembly, and its
// streams work in goroutines of their own.
package zstd

import (
	"bytes"
	"io"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
)

// Pack compresses; level is zstd's own, 1 to 22.
func Pack(data []byte, level int) ([]byte, error) {
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.EncoderLevelFromZstd(level)))
	if err != nil {
		return nil, err
	}
	defer encoder.Close()
	return encoder.EncodeAll(data, nil), nil
}

// Unpack reads a stream, block by block, with a goroutine that decodes ahead.
func Unpack(data []byte) ([]byte, error) {
	decoder, err := zstd.NewReader(bytes.NewReader(data), zstd.WithDecoderConcurrency(2))
	if err != nil {
		return nil, err
	}
	defer decoder.Close()
	return io.ReadAll(decoder)
}

// Snappy packs and unpacks with s2, and returns the packed size.
func Snappy(data []byte) (int, error) {
	packed := s2.EncodeBetter(nil, data)
	back, err := s2.Decode(nil, packed)
	if err == nil && !bytes.Equal(back, data) {
		err = io.ErrUnexpectedEOF
	}
	return len(packed), err
}
