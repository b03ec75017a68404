package seal

import (
	"bytes"
	"encoding/base64"
	"errors"
)

const (
	blockSignature = "PGP SIGNATURE"
	blockPublic    = "PGP PUBLIC KEY BLOCK"
	blockSecret    = "PGP PRIVATE KEY BLOCK"

	armorColumns    = 64 // what we write, RFC 9580 section 6 allows 76
	armorColumnsMax = 76
	armorHeadersMax = 16
)

// enarmor writes one block as RFC 9580 section 6.2, without headers, with the
// checksum that older readers expect.
func enarmor(kind string, b []byte) []byte {
	text := base64.StdEncoding.EncodeToString(b)
	var out bytes.Buffer
	out.Grow(len(text) + len(text)/armorColumns + 2*len(kind) + 48)
	out.WriteString("-----BEGIN " + kind + "-----\n\n")
	for len(text) > armorColumns {
		out.WriteString(text[:armorColumns])
		out.WriteByte('\n')
		text = text[armorColumns:]
	}
	out.WriteString(text)
	out.WriteString("\n=")
	sum := crc24(b)
	out.WriteString(base64.StdEncoding.EncodeToString([]byte{byte(sum >> 16), byte(sum >> 8), byte(sum)}))
	out.WriteString("\n-----END " + kind + "-----\n")
	return out.Bytes()
}

// dearmor reads exactly one block of the given kind, and nothing before or
// after it. Library readers skip text around a block, do not compare the ends
// and ignore the checksum, so that what is checked may not be what is shown.
func dearmor(kind string, b []byte) ([]byte, error) {
	lines, err := armorLines(b)
	if err != nil {
		return nil, err
	}
	last := len(lines) - 1
	if last < 2 || !bytes.Equal(lines[0], []byte("-----BEGIN "+kind+"-----")) {
		return nil, refusef(reasonFormat, "armor does not begin as expected")
	}
	if !bytes.Equal(lines[last], []byte("-----END "+kind+"-----")) {
		return nil, refusef(reasonFormat, "armor does not end as expected")
	}
	body, err := skipArmorHeaders(lines[1:last])
	if err != nil {
		return nil, err
	}
	var text, sum []byte
	for i, line := range body {
		switch {
		case len(line) == 5 && line[0] == '=' && i == len(body)-1:
			sum = line[1:]
		case len(line) == 0 || len(line) > armorColumnsMax:
			return nil, refusef(reasonFormat, "armor line of a wrong length")
		default:
			text = append(text, line...)
		}
	}
	out, err := base64.StdEncoding.Strict().AppendDecode(nil, text)
	if err != nil || len(out) == 0 {
		return nil, refuse(reasonFormat, errors.New("armor is not base64"))
	}
	return out, checkArmorSum(out, sum)
}

// armorLines splits on LF or CRLF; the last line may lack its end.
func armorLines(b []byte) ([][]byte, error) {
	b = bytes.TrimSuffix(bytes.TrimSuffix(b, []byte("\n")), []byte("\r"))
	lines := bytes.Split(b, []byte("\n"))
	for i := range lines {
		if i < len(lines)-1 {
			lines[i] = bytes.TrimSuffix(lines[i], []byte("\r"))
		}
		for _, c := range lines[i] {
			if c < ' ' || c > '~' {
				return nil, refusef(reasonFormat, "armor holds a byte that is not text")
			}
		}
	}
	return lines, nil
}

// skipArmorHeaders passes over the headers that others write ("Comment: …") up
// to the empty line that must end them. They mean nothing here.
func skipArmorHeaders(lines [][]byte) ([][]byte, error) {
	for i, line := range lines {
		if len(line) == 0 {
			return lines[i+1:], nil
		}
		if i >= armorHeadersMax || !bytes.Contains(line, []byte(": ")) || len(line) > 256 {
			break
		}
	}
	return nil, refusef(reasonFormat, "armor headers are not ended by an empty line")
}

func checkArmorSum(b, sum []byte) error {
	if sum == nil {
		return nil
	}
	got, err := base64.StdEncoding.Strict().DecodeString(string(sum))
	if err != nil || len(got) != 3 ||
		uint32(got[0])<<16|uint32(got[1])<<8|uint32(got[2]) != crc24(b) {
		return refusef(reasonFormat, "armor checksum is wrong")
	}
	return nil
}

// crc24 is the checksum of RFC 9580 section 6.1.1. It protects from accidents
// only; a wrong one still says that somebody touched the file.
func crc24(b []byte) uint32 {
	crc := uint32(0xb704ce)
	for _, c := range b {
		crc = crc<<8 ^ crcTable[byte(crc>>16)^c]
	}
	return crc & 0xffffff
}

var crcTable = makeCRCTable()

func makeCRCTable() (t [256]uint32) {
	for i := range t {
		crc := uint32(i) << 16
		for range 8 {
			crc <<= 1
			if crc&0x1000000 != 0 {
				crc ^= 0x1864cfb
			}
		}
		t[i] = crc & 0xffffff
	}
	return t
}
