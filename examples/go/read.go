// Read prints the text of a picture, read through Triton's HTTP port. The protocol is KServe v2
// with its binary extension: JSON, followed by the bytes of the tensors.
//
//	go run examples/go/read.go http://127.0.0.1:8000 photo.jpg [drop_score=0.9 ...]
package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"math"
	"net/http"
	"os"
	"strconv"
	"strings"
)

const headerLength = "Inference-Header-Content-Length"

// Line is one line of text; Box is its corners, x and y, clockwise from top-left.
type Line struct {
	Text     string
	Score    float32
	Box      [4][2]float32
	BoxScore float32
}

type tensor struct {
	Name       string         `json:"name"`
	Datatype   string         `json:"datatype"`
	Shape      []int          `json:"shape"`
	Parameters map[string]int `json:"parameters"`
}

type request struct {
	Inputs     []tensor       `json:"inputs"`
	Parameters map[string]any `json:"parameters"`
}

// Read returns the lines of a picture in reading order. Options are sent as text.
func Read(server string, picture []byte, options map[string]string) ([]Line, error) {
	body, header, err := encode(picture, options)
	if err != nil {
		return nil, err
	}
	post, err := http.NewRequest("POST", server+"/v2/models/ocr/infer", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	post.Header.Set(headerLength, strconv.Itoa(header))
	post.Header.Set("Content-Type", "application/octet-stream")
	answer, err := http.DefaultClient.Do(post)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		said := bytes.Replace(data, []byte("in ensemble 'ocr', "), nil, 1)
		return nil, fmt.Errorf("%s: %s", answer.Status, said)
	}
	end, err := strconv.Atoi(answer.Header.Get(headerLength))
	if err != nil {
		return nil, err
	}
	return decode(data, end)
}

// encode returns the body of a request and the length of its JSON part.
func encode(picture []byte, options map[string]string) ([]byte, int, error) {
	image := tensor{"IMAGE", "BYTES", []int{1}, map[string]int{"binary_data_size": len(picture) + 4}}
	parameters := map[string]any{"binary_data_output": true}
	for name, value := range options {
		parameters[name] = value
	}
	header, err := json.Marshal(request{[]tensor{image}, parameters})
	if err != nil {
		return nil, 0, err
	}
	body := binary.LittleEndian.AppendUint32(header, uint32(len(picture)))
	return append(body, picture...), len(header), nil
}

// decode returns the lines of an answer, given the length of its JSON part.
func decode(data []byte, end int) ([]Line, error) {
	var header struct {
		Outputs []tensor `json:"outputs"`
	}
	if err := json.Unmarshal(data[:end], &header); err != nil {
		return nil, err
	}
	raw := map[string][]byte{}
	for _, output := range header.Outputs {
		size := output.Parameters["binary_data_size"]
		raw[output.Name] = data[end : end+size]
		end += size
	}
	float := func(name string, index int) float32 {
		return math.Float32frombits(binary.LittleEndian.Uint32(raw[name][4*index:]))
	}
	var lines []Line
	for texts := raw["TEXTS"]; len(texts) > 0; {
		index, length := len(lines), binary.LittleEndian.Uint32(texts)
		line := Line{Text: string(texts[4 : 4+length]), Score: float("SCORES", index)}
		line.BoxScore = float("BOX_SCORES", index)
		for corner := range line.Box {
			at := 8*index + 2*corner
			line.Box[corner] = [2]float32{float("BOXES", at), float("BOXES", at+1)}
		}
		lines = append(lines, line)
		texts = texts[4+length:]
	}
	return lines, nil
}

func main() {
	if len(os.Args) < 3 {
		log.Fatal("usage: read SERVER PICTURE [OPTION=VALUE ...]")
	}
	picture, err := os.ReadFile(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	options := map[string]string{}
	for _, word := range os.Args[3:] {
		name, value, _ := strings.Cut(word, "=")
		options[name] = value
	}
	lines, err := Read(os.Args[1], picture, options)
	if err != nil {
		log.Fatal(err)
	}
	for _, line := range lines {
		fmt.Printf("%s\t%.3f\t%v\n", line.Text, line.Score, line.Box)
	}
}
