// Package sqlite is SQLite in Go alone: modernc.org/sqlite, C that was translated to Go, behind database/sql.
package sqlite

import (
	"database/sql"
	"fmt"

	_ "modernc.org/sqlite"
)

// Query opens a database, runs statements, then a query, and returns its rows as text.
func Query(file string, statements []string, query string) ([][]string, error) {
	db, err := sql.Open("sqlite", file)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	// a database in memory belongs to its connection
	db.SetMaxOpenConns(1)
	tx, err := db.Begin()
	if err != nil {
		return nil, err
	}
	defer tx.Rollback()
	for _, statement := range statements {
		if _, err := tx.Exec(statement); err != nil {
			return nil, err
		}
	}
	if err := tx.Commit(); err != nil {
		return nil, err
	}
	rows, err := db.Query(query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	var table [][]string
	for rows.Next() {
		values, places := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			places[i] = &values[i]
		}
		if err := rows.Scan(places...); err != nil {
			return nil, err
		}
		row := make([]string, len(columns))
		for i, value := range values {
			row[i] = fmt.Sprint(value)
		}
		table = append(table, row)
	}
	return table, rows.Err()
}

// Fill writes n rows with a prepared statement, in one transaction.
func Fill(file string, n int) error {
	db, err := sql.Open("sqlite", file)
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := db.Exec("create table if not exists number (n integer primary key, square integer, name text)"); err != nil {
		return err
	}
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	insert, err := tx.Prepare("insert into number values (?, ?, ?)")
	if err != nil {
		return err
	}
	defer insert.Close()
	for i := 1; i <= n; i++ {
		if _, err := insert.Exec(i, i*i, fmt.Sprintf("number %d", i)); err != nil {
			return err
		}
	}
	return tx.Commit()
}
