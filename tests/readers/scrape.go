// Prints what a URL answers. The transport asks for gzip and inflates by itself.
package main

import (
	"io"
	"log"
	"net/http"
	"os"
)

func main() {
	answer, err := http.Get(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	if !answer.Uncompressed {
		log.Fatal("the answer was not compressed")
	}
	if _, err := io.Copy(os.Stdout, answer.Body); err != nil {
		log.Fatal(err)
	}
}
