// Package bolt keeps counters in a bbolt file: a B+tree that is mapped into memory.
package bolt

import (
	"encoding/binary"
	"time"

	"go.etcd.io/bbolt"
)

var bucket = []byte("visits")

// Visit counts visits of pages in one transaction and returns the sum of all.
func Visit(file string, pages []string) (int, error) {
	db, err := bbolt.Open(file, 0o600, &bbolt.Options{Timeout: time.Second})
	if err != nil {
		return 0, err
	}
	defer db.Close()
	err = db.Update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists(bucket)
		if err != nil {
			return err
		}
		for _, page := range pages {
			var n uint64
			if old := b.Get([]byte(page)); old != nil {
				n = binary.BigEndian.Uint64(old)
			}
			if err := b.Put([]byte(page), binary.BigEndian.AppendUint64(nil, n+1)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	sum := 0
	err = db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucket).ForEach(func(_, v []byte) error {
			sum += int(binary.BigEndian.Uint64(v))
			return nil
		})
	})
	return sum, err
}

// Visits reads the counters of pages that start with a prefix, in the order of the tree.
func Visits(file, prefix string) (map[string]int, error) {
	db, err := bbolt.Open(file, 0o600, &bbolt.Options{ReadOnly: true, Timeout: time.Second})
	if err != nil {
		return nil, err
	}
	defer db.Close()
	counts := map[string]int{}
	err = db.View(func(tx *bbolt.Tx) error {
		cursor := tx.Bucket(bucket).Cursor()
		for k, v := cursor.Seek([]byte(prefix)); k != nil && len(k) >= len(prefix) && string(k[:len(prefix)]) == prefix; k, v = cursor.Next() {
			counts[string(k)] = int(binary.BigEndian.Uint64(v))
		}
		return nil
	})
	return counts, err
}

// Check lets bbolt prove its own file.
func Check(file string) (int, error) {
	db, err := bbolt.Open(file, 0o600, nil)
	if err != nil {
		return 0, err
	}
	defer db.Close()
	pages := 0
	err = db.View(func(tx *bbolt.Tx) error {
		for err := range tx.Check() {
			return err
		}
		pages = int(tx.Size()) / db.Info().PageSize
		return nil
	})
	return pages, err
}
