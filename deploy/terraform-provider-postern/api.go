package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

// api is the REST side of KeyAdmin.
type api struct {
	address string
	key     string
	http    *http.Client
}

// apiError is what the service answers to what it refuses.
type apiError struct {
	status  int
	Code    string `json:"code"`
	Message string `json:"message"`
	Details struct {
		Reason string `json:"reason"`
		Fields []struct {
			Field       string `json:"field"`
			Description string `json:"description"`
		} `json:"fields"`
	} `json:"details"`
}

func (e *apiError) Error() string {
	said := e.Message
	for _, field := range e.Details.Fields {
		said += fmt.Sprintf("\n%s: %s", field.Field, field.Description)
	}
	return fmt.Sprintf("%s (%s)", said, e.Code)
}

func newAPI(address, key, caFile string) (*api, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if caFile != "" {
		pem, err := os.ReadFile(caFile)
		if err != nil {
			return nil, fmt.Errorf("ca_file: %w", err)
		}
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("ca_file: %s has no certificate in PEM", caFile)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
	client := &http.Client{
		Transport: transport,
		Timeout:   30 * time.Second,
		// A redirect would carry the admin key to where nobody meant it to go.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return &api{address: strings.TrimRight(address, "/"), key: key, http: client}, nil
}

// call sends a request with a JSON body, if there is one, and reads `data` of the answer into out, if that is given.
func (a *api) call(ctx context.Context, method, path string, body, out any) error {
	var sent io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		sent = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, a.address+path, sent)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+a.key)
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := a.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 16<<20))
	if err != nil {
		return err
	}
	if response.StatusCode/100 != 2 {
		refused := struct{ Error apiError }{}
		if json.Unmarshal(text, &refused) != nil || refused.Error.Code == "" {
			return fmt.Errorf("%s %s answered %s, which is not Postern's", method, path, response.Status)
		}
		refused.Error.status = response.StatusCode
		return &refused.Error
	}
	if out == nil {
		return nil
	}
	answer := struct{ Data any }{Data: out}
	if err := json.Unmarshal(text, &answer); err != nil {
		return fmt.Errorf("%s %s answered what is no JSON of Postern: %w", method, path, err)
	}
	return nil
}

func isMissing(err error) bool {
	refused := &apiError{}
	return errors.As(err, &refused) && refused.status == http.StatusNotFound
}
